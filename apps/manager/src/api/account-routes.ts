import { errors } from "../errors.ts";
import type { Stores } from "../store/stores.ts";
import { secretOf, subjectOf } from "./auth.ts";
import { answers, idParams, sessionBody, tokenBody } from "./management-schemas.ts";
import type { ManagementServer } from "./management-server.ts";
import { grantsBody, passwordBody, peopleAnswers } from "./people-schemas.ts";

/** API tokens, sessions, and one's own account. */
export function registerAccountRoutes(app: ManagementServer, { tokens, sessions }: Stores): void {
  const read = { access: { admin: { section: "tokens", action: "read" } } } as const;
  const write = { access: { admin: { section: "tokens", action: "write" } } } as const;
  const own = { access: "authenticated" } as const;
  app.get("/tokens", { config: read, schema: { response: { 200: answers.tokens } } }, async () => ({
    items: (await tokens.list()).map((token) => ({
      ...token,
      permissions: [...token.permissions],
      admin: [...token.admin],
    })),
  }));
  app.post(
    "/tokens",
    { config: write, schema: { body: tokenBody, response: { 201: answers.token } } },
    async (request, reply) => {
      const { name, expiresAt, permissions, admin } = request.body;
      const until = expiresAt === undefined ? undefined : new Date(expiresAt);
      const grants = { permissions, admin, expiresAt: until };
      return reply.code(201).send(await tokens.create(name, grants, subjectOf(request)));
    },
  );
  app.put(
    "/tokens/:id/permissions",
    { config: write, schema: { params: idParams, body: grantsBody, response: { 204: answers.nothing } } },
    async (request, reply) => {
      await tokens.setGrants(request.params.id, request.body, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
  app.delete(
    "/tokens/:id",
    { config: write, schema: { params: idParams, response: { 204: answers.nothing } } },
    async (request, reply) => {
      await tokens.remove(request.params.id, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
  app.post(
    "/sessions",
    { config: { access: "public" }, schema: { body: sessionBody, response: { 201: answers.session } } },
    async (request, reply) => {
      const { token, expiresAt } = await sessions.login(request.body);
      return reply.code(201).send({ token, expiresAt: expiresAt.toISOString() });
    },
  );
  app.delete(
    "/sessions",
    { config: own, schema: { response: { 204: answers.nothing } } },
    async (request, reply) => {
      await sessions.logout(secretOf(request));
      return reply.code(204).send(null);
    },
  );
  app.get("/me", { config: own, schema: { response: { 200: peopleAnswers.me } } }, async (request) => {
    const { kind, name, expiresAt, permissions, admin } = subjectOf(request);
    const until = expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() };
    return { kind, name, permissions, admin, ...until };
  });
  app.put(
    "/me/password",
    { config: own, schema: { body: passwordBody, response: { 204: answers.nothing } } },
    async (request, reply) => {
      const subject = subjectOf(request);
      if (subject.kind !== "user") throw errors.create("SESSION_NEEDED");
      await sessions.changePassword(secretOf(request), subject, request.body);
      return reply.code(204).send(null);
    },
  );
}

import { errors } from "../errors.ts";
import { allowsAll } from "../store/permission.ts";
import type { Stores } from "../store/stores.ts";
import { bearerOf, subjectOf } from "./auth.ts";
import { answers, idParams, sessionBody, tokenBody } from "./management-schemas.ts";
import type { ManagementServer } from "./management-server.ts";

/** API tokens and sessions. */
export function registerAccountRoutes(app: ManagementServer, { tokens, users }: Stores): void {
  const read = { access: { admin: { section: "tokens", action: "read" } } } as const;
  const write = { access: { admin: { section: "tokens", action: "write" } } } as const;
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
      if (!allowsAll(subjectOf(request), { permissions, admin }))
        throw errors.create("PERMISSION_MISSING", { permission: "that it would hand out" });
      const grants = {
        permissions,
        admin,
        expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
      };
      return reply.code(201).send(await tokens.create(name, grants));
    },
  );
  app.delete(
    "/tokens/:id",
    { config: write, schema: { params: idParams, response: { 204: answers.nothing } } },
    async (request, reply) => {
      await tokens.remove(request.params.id);
      return reply.code(204).send(null);
    },
  );
  app.post(
    "/sessions",
    { config: { access: "public" }, schema: { body: sessionBody, response: { 201: answers.session } } },
    async (request, reply) => {
      const { token, expiresAt } = await users.login(request.body);
      return reply.code(201).send({ token, expiresAt: expiresAt.toISOString() });
    },
  );
  app.delete(
    "/sessions",
    { config: { access: "authenticated" }, schema: { response: { 204: answers.nothing } } },
    async (request, reply) => {
      await users.logout(bearerOf(request));
      return reply.code(204).send(null);
    },
  );
}

import type { Stores } from "../store/stores.ts";
import { subjectOf } from "./auth.ts";
import { answers, idParams } from "./management-schemas.ts";
import type { ManagementServer } from "./management-server.ts";
import { grantsBody, peopleAnswers, userBody, userChangeBody, userListQuery } from "./people-schemas.ts";

/** People, as administrators see them. */
export function registerUserRoutes(app: ManagementServer, { users }: Stores): void {
  const read = { access: { admin: { section: "users", action: "read" } } } as const;
  const write = { access: { admin: { section: "users", action: "write" } } } as const;
  const done = { params: idParams, response: { 204: answers.nothing } };
  app.get(
    "/users",
    { config: read, schema: { querystring: userListQuery, response: { 200: peopleAnswers.users } } },
    async (request) => {
      const { cursor, limit, ...filters } = request.query;
      const found = await users.list({ ...filters, after: cursor, limit: limit + 1 });
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return { items, ...(found.length > limit && last ? { next: last.id } : {}) };
    },
  );
  app.post(
    "/users",
    { config: write, schema: { body: userBody, response: { 201: peopleAnswers.oneTimePassword } } },
    async (request, reply) => {
      const { permissions, admin, ...names } = request.body;
      return reply.code(201).send(await users.create(names, { permissions, admin }, subjectOf(request)));
    },
  );
  app.get(
    "/users/:id",
    { config: read, schema: { params: idParams, response: { 200: peopleAnswers.user } } },
    (request) => users.get(request.params.id),
  );
  app.put(
    "/users/:id",
    { config: write, schema: { ...done, body: userChangeBody } },
    async (request, reply) => {
      await users.update(request.params.id, request.body, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
  app.put(
    "/users/:id/permissions",
    { config: write, schema: { ...done, body: grantsBody } },
    async (request, reply) => {
      await users.setGrants(request.params.id, request.body, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
  app.post(
    "/users/:id/password",
    { config: write, schema: { params: idParams, response: { 200: peopleAnswers.oneTimePassword } } },
    (request) => users.resetPassword(request.params.id, subjectOf(request)),
  );
  app.delete("/users/:id", { config: write, schema: done }, async (request, reply) => {
    await users.remove(request.params.id, subjectOf(request));
    return reply.code(204).send(null);
  });
}

import type { Stores } from "../store/stores.ts";
import { subjectOf } from "./auth.ts";
import { answers } from "./management-schemas.ts";
import type { ManagementServer } from "./management-server.ts";
import { grantsBody, peopleAnswers, roleBody, roleMemberParams, roleParams } from "./people-schemas.ts";

/** Roles and who has them. */
export function registerRoleRoutes(app: ManagementServer, { roles }: Stores): void {
  const read = { access: { admin: { section: "roles", action: "read" } } } as const;
  const write = { access: { admin: { section: "roles", action: "write" } } } as const;
  const nothing = { 204: answers.nothing };
  app.get("/roles", { config: read, schema: { response: { 200: peopleAnswers.roles } } }, async () => ({
    items: await roles.list(),
  }));
  app.post(
    "/roles",
    { config: write, schema: { body: roleBody, response: nothing } },
    async (request, reply) => {
      const { code, ...grants } = request.body;
      await roles.create(code, grants, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
  app.put(
    "/roles/:code",
    { config: write, schema: { params: roleParams, body: grantsBody, response: nothing } },
    async (request, reply) => {
      await roles.update(request.params.code, request.body, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
  app.delete(
    "/roles/:code",
    { config: write, schema: { params: roleParams, response: nothing } },
    async (request, reply) => {
      await roles.remove(request.params.code, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
  app.get(
    "/roles/:code/users",
    { config: read, schema: { params: roleParams, response: { 200: peopleAnswers.members } } },
    async (request) => ({ items: await roles.members(request.params.code) }),
  );
  app.put(
    "/roles/:code/users/:id",
    { config: write, schema: { params: roleMemberParams, response: nothing } },
    async (request, reply) => {
      await roles.addMember(request.params.code, request.params.id, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
  app.delete(
    "/roles/:code/users/:id",
    { config: write, schema: { params: roleMemberParams, response: nothing } },
    async (request, reply) => {
      await roles.removeMember(request.params.code, request.params.id, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
}

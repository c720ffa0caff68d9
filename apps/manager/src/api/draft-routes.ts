import { pageSchema, redirectSchema } from "@posthouse/protocol";
import type { Kind } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { kinds } from "../store/item-values.ts";
import { allows } from "../store/permission.ts";
import type { Stores } from "../store/stores.ts";
import { type ProjectParams, requireProject, subjectOf } from "./auth.ts";
import {
  draftAnswers,
  draftListQuery,
  formatPosition,
  itemListQuery,
  parsePosition,
} from "./draft-schemas.ts";
import { pageOf } from "./list-page.ts";
import { answers, projectIdParams, projectParams } from "./management-schemas.ts";
import { type ManagementServer, projectUrl } from "./management-server.ts";

/** Room for any page that `limits.page` may allow, written as JSON. */
const pageBodyLimit = 64 * 1024 * 1024;

const may = (resource: Kind | "any", action: "read" | "write") =>
  ({ access: { project: [{ resource, action }] } }) as const;

/** Redirects and pages, and the drafts that change them. */
export function registerDraftRoutes(app: ManagementServer, stores: Stores): void {
  for (const kind of kinds) registerItemRoutes(app, stores, kind);
  registerRedirectEdits(app, stores);
  registerPageEdits(app, stores);
  registerDrafts(app, stores);
}

const finder =
  ({ projects }: Stores) =>
  async ({ ns, prj }: ProjectParams): Promise<number> =>
    (await projects.get(ns, prj)).id;

function registerItemRoutes(app: ManagementServer, stores: Stores, kind: Kind): void {
  const { search, drafts } = stores;
  const projectId = finder(stores);
  const url = `${projectUrl}/${kind}s`;
  app.get(
    url,
    {
      config: may(kind, "read"),
      schema: { params: projectParams, querystring: itemListQuery, response: { 200: draftAnswers.items } },
    },
    async (request) => {
      const { limit, cursor, type: types, ...query } = request.query;
      const after = cursor === undefined ? undefined : parsePosition(cursor);
      if (cursor !== undefined && !after)
        throw errors.create("REQUEST_INVALID", { reason: "cursor must be the next of an answer" });
      const found = await search.list({
        ...query,
        projectId: await projectId(request.params),
        kind,
        types,
        after,
        limit: limit + 1,
      });
      return pageOf(
        found,
        limit,
        ({ item }) => item,
        ({ position }) => formatPosition(position),
      );
    },
  );
  app.get(
    `${url}/:id`,
    {
      config: may(kind, "read"),
      schema: { params: projectIdParams, response: { 200: draftAnswers.item } },
    },
    async (request) => search.get(await projectId(request.params), kind, request.params.id),
  );
  app.delete(
    `${url}/:id`,
    {
      config: may(kind, "write"),
      schema: { params: projectIdParams, response: { 200: draftAnswers.draft, 204: answers.nothing } },
    },
    async (request, reply) => {
      const id = await projectId(request.params);
      const draft = await drafts.remove(id, subjectOf(request), kind, request.params.id);
      return draft ? reply.send({ draft }) : reply.code(204).send(null);
    },
  );
  app.post(
    `${url}/rollback`,
    {
      config: may(kind, "write"),
      schema: { params: projectParams, response: { 200: draftAnswers.discarded } },
    },
    async (request) => {
      const id = await projectId(request.params);
      return { discarded: await drafts.discardAll(id, subjectOf(request), kind) };
    },
  );
}

function registerRedirectEdits(app: ManagementServer, stores: Stores): void {
  const projectId = finder(stores);
  app.post(
    `${projectUrl}/redirects`,
    {
      config: may("redirect", "write"),
      schema: { params: projectParams, body: redirectSchema, response: { 201: draftAnswers.savedRedirect } },
    },
    async (request, reply) => {
      const id = await projectId(request.params);
      return reply.code(201).send(await stores.drafts.createRedirect(id, subjectOf(request), request.body));
    },
  );
  app.put(
    `${projectUrl}/redirects/:id`,
    {
      config: may("redirect", "write"),
      schema: {
        params: projectIdParams,
        body: redirectSchema,
        response: { 200: draftAnswers.savedRedirect },
      },
    },
    async (request) => {
      const id = await projectId(request.params);
      return stores.drafts.updateRedirect(id, subjectOf(request), request.params.id, request.body);
    },
  );
}

function registerPageEdits(app: ManagementServer, stores: Stores): void {
  const projectId = finder(stores);
  app.post(
    `${projectUrl}/pages`,
    {
      config: may("page", "write"),
      bodyLimit: pageBodyLimit,
      schema: { params: projectParams, body: pageSchema, response: { 201: draftAnswers.draft } },
    },
    async (request, reply) => {
      const id = await projectId(request.params);
      const draft = await stores.drafts.createPage(id, subjectOf(request), request.body);
      return reply.code(201).send({ draft });
    },
  );
  app.put(
    `${projectUrl}/pages/:id`,
    {
      config: may("page", "write"),
      bodyLimit: pageBodyLimit,
      schema: { params: projectIdParams, body: pageSchema, response: { 200: draftAnswers.draft } },
    },
    async (request) => {
      const id = await projectId(request.params);
      return {
        draft: await stores.drafts.updatePage(id, subjectOf(request), request.params.id, request.body),
      };
    },
  );
}

function registerDrafts(app: ManagementServer, stores: Stores): void {
  const { search, drafts } = stores;
  const projectId = finder(stores);
  app.get(
    `${projectUrl}/drafts`,
    {
      config: may("any", "read"),
      schema: { params: projectParams, querystring: draftListQuery, response: { 200: draftAnswers.drafts } },
    },
    async (request) => {
      const { limit, cursor, change } = request.query;
      const { ns: namespace, prj: project } = request.params;
      const seen = kinds.filter((resource) =>
        allows(subjectOf(request), { namespace, project, resource, action: "read" }),
      );
      const id = await projectId(request.params);
      if (seen.length === 0) return { items: [] };
      const found = await search.drafts({
        projectId: id,
        kinds: seen,
        change,
        after: cursor,
        limit: limit + 1,
      });
      return pageOf(
        found,
        limit,
        (draft) => draft,
        ({ id }) => id,
      );
    },
  );
  app.get(
    `${projectUrl}/drafts/:id`,
    {
      config: may("any", "read"),
      schema: { params: projectIdParams, response: { 200: draftAnswers.draftDetail } },
    },
    async (request) => {
      const found = await search.draft(await projectId(request.params), request.params.id);
      requireProject(subjectOf(request), request.params, { resource: found.draft.kind, action: "read" });
      return found;
    },
  );
  app.delete(
    `${projectUrl}/drafts/:id`,
    {
      config: may("any", "write"),
      schema: { params: projectIdParams, response: { 204: answers.nothing } },
    },
    async (request, reply) => {
      const project = await projectId(request.params);
      const { kind, id } = (await search.draft(project, request.params.id)).draft;
      requireProject(subjectOf(request), request.params, { resource: kind, action: "write" });
      await drafts.discard(project, subjectOf(request), kind, id);
      return reply.code(204).send(null);
    },
  );
}

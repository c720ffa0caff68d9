import type { FastifyRequest } from "fastify";
import { kinds } from "../store/item-values.ts";
import { allows } from "../store/permission.ts";
import type { Stores } from "../store/stores.ts";
import type { Difference } from "../store/version.ts";
import type { WrittenVersion } from "../store/version-write.ts";
import { type ProjectParams, requireProject, subjectOf } from "./auth.ts";
import { pageOf } from "./list-page.ts";
import { projectParams } from "./management-schemas.ts";
import { type ManagementServer, projectUrl } from "./management-server.ts";
import {
  changeListQuery,
  differenceQuery,
  publishBody,
  versionAnswers,
  versionItemParams,
  versionListQuery,
  versionParams,
} from "./version-schemas.ts";

const anyRead = { access: { project: [{ resource: "any", action: "read" }] } } as const;
const anyWrite = { access: { project: [{ resource: "any", action: "write" }] } } as const;
const bothWrite = {
  access: {
    project: [
      { resource: "redirect", action: "write" },
      { resource: "page", action: "write" },
    ],
  },
} as const;
const projectsWrite = { access: { admin: { section: "projects", action: "write" } } } as const;

/** What was published, and making more of it: publish, restore, truncate. */
export function registerVersionRoutes(app: ManagementServer, stores: Stores): void {
  registerHistory(app, stores);
  registerPublishing(app, stores);
}

function registerHistory(app: ManagementServer, { projects, versions }: Stores): void {
  app.get(
    `${projectUrl}/versions`,
    {
      config: anyRead,
      schema: {
        params: projectParams,
        querystring: versionListQuery,
        response: { 200: versionAnswers.versions },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const { id } = await projects.get(request.params.ns, request.params.prj);
      return pageOf(
        await versions.list(id, cursor, limit + 1),
        limit,
        (each) => each,
        ({ version }) => version,
      );
    },
  );
  app.get(
    `${projectUrl}/versions/:version`,
    {
      config: anyRead,
      schema: { params: versionParams, response: { 200: versionAnswers.version } },
    },
    async (request) => {
      const { id } = await projects.get(request.params.ns, request.params.prj);
      return versions.get(id, request.params.version);
    },
  );
  app.get(
    `${projectUrl}/versions/:version/changes`,
    {
      config: anyRead,
      schema: {
        params: versionParams,
        querystring: changeListQuery,
        response: { 200: versionAnswers.differences },
      },
    },
    async (request) => {
      const { id } = await projects.get(request.params.ns, request.params.prj);
      const { limit, cursor } = request.query;
      const range = rangeOf(request.params.version);
      const found = await versions.difference({ projectId: id, ...range, after: cursor, limit });
      return { ...range, ...found, items: found.items.filter(seenBy(request)) };
    },
  );
  app.get(
    `${projectUrl}/versions/:version/changes/:id`,
    {
      config: anyRead,
      schema: { params: versionItemParams, response: { 200: versionAnswers.difference } },
    },
    async (request) => {
      const { ns, prj, version, id } = request.params;
      const project = await projects.get(ns, prj);
      const found = await versions.one({ projectId: project.id, ...rangeOf(version), id });
      requireProject(subjectOf(request), request.params, { resource: found.kind, action: "read" });
      return found;
    },
  );
  app.get(
    `${projectUrl}/difference`,
    {
      config: anyRead,
      schema: {
        params: projectParams,
        querystring: differenceQuery,
        response: { 200: versionAnswers.differences },
      },
    },
    async (request) => {
      const project = await projects.get(request.params.ns, request.params.prj);
      const { limit, cursor, from, to = project.version } = request.query;
      const found = await versions.difference({ projectId: project.id, from, to, after: cursor, limit });
      return { from, to, ...found, items: found.items.filter(seenBy(request)) };
    },
  );
}

function registerPublishing(app: ManagementServer, { projects, publisher, publishWarnings }: Stores): void {
  const withWarnings = async (projectId: number, made: WrittenVersion) => ({
    ...made,
    ...(await publishWarnings(projectId, made.version)),
  });
  app.post(
    `${projectUrl}/publish`,
    {
      config: anyWrite,
      schema: { params: projectParams, body: publishBody, response: { 200: versionAnswers.published } },
    },
    async (request) => {
      const project = await projects.get(request.params.ns, request.params.prj);
      return withWarnings(
        project.id,
        await publisher.publish(project, subjectOf(request), request.body?.ids),
      );
    },
  );
  app.post(
    `${projectUrl}/versions/:version/restore`,
    {
      config: bothWrite,
      schema: { params: versionParams, response: { 200: versionAnswers.published } },
    },
    async (request) => {
      const { ns, prj, version } = request.params;
      const project = await projects.get(ns, prj);
      return withWarnings(project.id, await publisher.restore(project, subjectOf(request), version));
    },
  );
  for (const kind of kinds) {
    app.post(
      `${projectUrl}/${kind}s/truncate`,
      {
        config: projectsWrite,
        schema: { params: projectParams, response: { 200: versionAnswers.truncated } },
      },
      async (request) => {
        const project = await projects.get(request.params.ns, request.params.prj);
        return publisher.truncate(project, subjectOf(request), kind);
      },
    );
  }
}

/** What a version changed is its difference from the one before; the first has none before it. */
function rangeOf(version: number): { from: number; to: number } {
  return { from: Math.max(1, version - 1), to: version };
}

function seenBy(request: FastifyRequest): (found: Difference) => boolean {
  const { ns: namespace, prj: project } = request.params as ProjectParams;
  const subject = subjectOf(request);
  const seen = kinds.filter((resource) => allows(subject, { namespace, project, resource, action: "read" }));
  return ({ kind }) => seen.includes(kind);
}

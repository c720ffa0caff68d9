import { errors } from "../errors.ts";
import { kinds } from "../store/item-values.ts";
import type { JournalQuery } from "../store/journal.ts";
import { type EventResource, eventResources, resourceOf } from "../store/journal-event.ts";
import { type AdminPermission, allows, allowsAdmin } from "../store/permission.ts";
import type { Stores } from "../store/stores.ts";
import { subjectOf } from "./auth.ts";
import { type JournalListQuery, journalAnswer, journalQuery, journalRemoved } from "./journal-schemas.ts";
import { pageOf } from "./list-page.ts";
import { projectParams } from "./management-schemas.ts";
import { type ManagementServer, projectUrl } from "./management-server.ts";

const sections: readonly (readonly [EventResource, AdminPermission["section"]])[] = [
  ["NAMESPACE", "namespaces"],
  ["PROJECT", "projects"],
  ["USER", "users"],
  ["ROLE", "roles"],
  ["TOKEN", "tokens"],
  ["SESSION", "users"],
];

/** Who did what: in a project, and to the Manager itself. */
export function registerJournalRoutes(app: ManagementServer, { projects, journal }: Stores): void {
  const list = async (asked: JournalListQuery, projectId: number | null, seen: readonly EventResource[]) => {
    const query = queryOf(asked);
    const resources = query.resources ?? seen;
    const events = await journal.list({ ...query, projectId, resources, limit: asked.limit + 1 });
    return pageOf(
      events,
      asked.limit,
      (event) => event,
      ({ id }) => id,
    );
  };
  app.get(
    `${projectUrl}/journal`,
    {
      config: { access: { project: [{ resource: "any", action: "read" }] } },
      schema: { params: projectParams, querystring: journalQuery, response: { 200: journalAnswer } },
    },
    async (request) => {
      const { ns: namespace, prj: project } = request.params;
      const { id } = await projects.get(namespace, project);
      const hidden = kinds.filter(
        (resource) => !allows(subjectOf(request), { namespace, project, resource, action: "read" }),
      );
      const seen = eventResources.filter((resource) => !hidden.map(resourceOf).includes(resource));
      const asked = request.query.resource;
      return asked !== undefined && !seen.includes(asked) ? { items: [] } : list(request.query, id, seen);
    },
  );
  app.post(
    `${projectUrl}/journal/truncate`,
    {
      config: { access: { admin: { section: "projects", action: "write" } } },
      schema: { params: projectParams, response: { 200: journalRemoved } },
    },
    async (request) => {
      const { id } = await projects.get(request.params.ns, request.params.prj);
      return { removed: await journal.truncate(id, subjectOf(request)) };
    },
  );
  app.get(
    "/journal",
    {
      config: { access: "authenticated" },
      schema: { querystring: journalQuery, response: { 200: journalAnswer } },
    },
    async (request) => {
      const subject = subjectOf(request);
      const seen = sections
        .filter(([, section]) => allowsAdmin(subject, { section, action: "read" }))
        .map(([resource]) => resource);
      const asked = request.query.resource;
      if (seen.length === 0 || (asked !== undefined && !seen.includes(asked))) {
        const section = sections.find(([resource]) => resource === asked)?.[1] ?? "any section";
        throw errors.create("PERMISSION_MISSING", { permission: `${section}:read` });
      }
      return list(request.query, null, seen);
    },
  );
}

function queryOf(asked: JournalListQuery): Omit<JournalQuery, "projectId" | "limit"> {
  const { resource, action, actor, from, to, cursor } = asked;
  return {
    resources: resource === undefined ? undefined : [resource],
    action,
    actor,
    from: from === undefined ? undefined : Date.parse(from),
    to: to === undefined ? undefined : Date.parse(to),
    before: cursor,
  };
}

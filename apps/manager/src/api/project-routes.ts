import { errors } from "../errors.ts";
import { allowsAdmin } from "../store/permission.ts";
import type { Stores } from "../store/stores.ts";
import type { Subject } from "../store/token.ts";
import { subjectOf } from "./auth.ts";
import { answers, namedBody, namespaceParams, projectParams } from "./management-schemas.ts";
import { type ManagementServer, projectUrl } from "./management-server.ts";

const anyRead = { project: [{ resource: "any", action: "read" }] } as const;

/** Namespaces, projects and the fleet. */
export function registerProjectRoutes(app: ManagementServer, { projects, agents }: Stores): void {
  app.get(
    "/namespaces",
    { config: { access: "authenticated" }, schema: { response: { 200: answers.namedList } } },
    async (request) => {
      const subject = subjectOf(request);
      return { items: (await projects.namespaces()).filter(({ code }) => seesNamespace(subject, code)) };
    },
  );
  app.post(
    "/namespaces",
    {
      config: { access: { admin: { section: "namespaces", action: "write" } } },
      schema: { body: namedBody, response: { 201: answers.named } },
    },
    async (request, reply) => {
      await projects.createNamespace(request.body);
      return reply.code(201).send(request.body);
    },
  );
  app.get(
    "/namespaces/:ns/projects",
    {
      config: { access: "authenticated" },
      schema: { params: namespaceParams, response: { 200: answers.namedList } },
    },
    async (request) => {
      const subject = subjectOf(request);
      const { ns } = request.params;
      if (!seesNamespace(subject, ns)) throw errors.create("NAMESPACE_NOT_FOUND", { namespace: ns });
      return { items: (await projects.list(ns)).filter(({ code }) => seesProject(subject, ns, code)) };
    },
  );
  app.post(
    "/namespaces/:ns/projects",
    {
      config: { access: { admin: { section: "projects", action: "write" } } },
      schema: { params: namespaceParams, body: namedBody, response: { 201: answers.named } },
    },
    async (request, reply) => {
      await projects.create(request.params.ns, request.body);
      return reply.code(201).send(request.body);
    },
  );
  app.get(
    projectUrl,
    { config: { access: anyRead }, schema: { params: projectParams, response: { 200: answers.project } } },
    async (request) => {
      const project = await projects.get(request.params.ns, request.params.prj);
      return {
        code: project.code,
        name: project.name,
        namespace: project.namespace,
        version: project.version,
        hash: Buffer.from(project.hash).toString("hex"),
        publishedAt: project.published_at === null ? null : new Date(project.published_at).toISOString(),
        redirects: project.redirects,
        pages: project.pages,
        drafts: await projects.countDrafts(project.id),
      };
    },
  );
  app.get(
    `${projectUrl}/agents`,
    {
      config: { access: { project: [{ resource: "agent", action: "read" }] } },
      schema: { params: projectParams, response: { 200: answers.agents } },
    },
    async (request) => {
      const { id } = await projects.get(request.params.ns, request.params.prj);
      return { items: (await agents.list(id)).map((agent) => ({ ...agent })) };
    },
  );
}

const covers = (granted: string, code: string): boolean => granted === "*" || granted === code;

function seesNamespace(subject: Subject, code: string): boolean {
  return (
    allowsAdmin(subject, { section: "namespaces", action: "read" }) ||
    subject.permissions.some(({ namespace }) => covers(namespace, code))
  );
}

function seesProject(subject: Subject, namespace: string, code: string): boolean {
  return (
    allowsAdmin(subject, { section: "projects", action: "read" }) ||
    subject.permissions.some(
      (granted) => covers(granted.namespace, namespace) && covers(granted.project, code),
    )
  );
}

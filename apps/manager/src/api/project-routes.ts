import { errors } from "../errors.ts";
import { allowsAdmin } from "../store/permission.ts";
import type { Stores } from "../store/stores.ts";
import type { Subject } from "../store/subject.ts";
import { subjectOf } from "./auth.ts";
import { answers, nameBody, namedBody, namespaceParams, projectParams } from "./management-schemas.ts";
import { type ManagementServer, projectUrl } from "./management-server.ts";

const anyRead = { project: [{ resource: "any", action: "read" }] } as const;

/** Namespaces and projects. */
export function registerProjectRoutes(app: ManagementServer, { projects }: Stores): void {
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
      await projects.createNamespace(request.body, subjectOf(request));
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
      await projects.create(request.params.ns, request.body, subjectOf(request));
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
  app.put(
    "/namespaces/:ns",
    {
      config: { access: { admin: { section: "namespaces", action: "write" } } },
      schema: { params: namespaceParams, body: nameBody, response: { 200: answers.named } },
    },
    async (request) => {
      const named = { code: request.params.ns, name: request.body.name };
      await projects.renameNamespace(named, subjectOf(request));
      return named;
    },
  );
  app.delete(
    "/namespaces/:ns",
    {
      config: { access: { admin: { section: "namespaces", action: "write" } } },
      schema: { params: namespaceParams, response: { 204: answers.nothing } },
    },
    async (request, reply) => {
      await projects.removeNamespace(request.params.ns, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
  app.put(
    projectUrl,
    {
      config: { access: { admin: { section: "projects", action: "write" } } },
      schema: { params: projectParams, body: nameBody, response: { 200: answers.named } },
    },
    async (request) => {
      const named = { code: request.params.prj, name: request.body.name };
      await projects.rename(request.params.ns, named, subjectOf(request));
      return named;
    },
  );
  app.delete(
    projectUrl,
    {
      config: { access: { admin: { section: "projects", action: "write" } } },
      schema: { params: projectParams, response: { 204: answers.nothing } },
    },
    async (request, reply) => {
      await projects.remove(request.params.ns, request.params.prj, subjectOf(request));
      return reply.code(204).send(null);
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

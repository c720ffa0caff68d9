/** The API that Flecto's agents speak, byte for byte as they see it. Paths below `/api/namespace/NS/project/PRJ`. */
import { Readable } from "node:stream";
import { syncHeader } from "@posthouse/protocol";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Kind } from "../database/schema.ts";
import { redirectOrPage } from "../store/item-values.ts";
import type { Project } from "../store/project.ts";
import type { Stores } from "../store/stores.ts";
import { parseAgentReport } from "./agent-report.ts";
import type { ProjectParams, ProjectRight } from "./auth.ts";
import { formatCursor } from "./cursor.ts";
import { sendGoJson } from "./error-answers.ts";
import { goJson } from "./go-json.ts";
import { type ListQuery, parseListQuery } from "./list-query.ts";
import { createWalkPositions } from "./walk-positions.ts";

const rowsPerRead = 2_000;

export function registerAgentApi(app: FastifyInstance, { projects, items, agents }: Stores): void {
  const access = (...project: ProjectRight[]) =>
    ({ config: { access: { project }, errors: "flecto" } }) as const;
  const projectOf = (request: FastifyRequest): Promise<Project> => {
    const { ns, prj } = request.params as ProjectParams;
    return projects.get(ns, prj);
  };
  const positions = createWalkPositions();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));

  app.get("/version", access({ resource: "any", action: "read" }), async (request, reply) => {
    const { version, hash } = await projectOf(request);
    reply.header(syncHeader, "1").header("etag", `"${Buffer.from(hash).toString("hex")}"`);
    return sendGoJson(reply, version);
  });

  for (const kind of ["redirect", "page"] as const) {
    app.get(`/${kind}s`, access({ resource: kind, action: "read" }), async (request, reply) => {
      const query = parsed(() => parseListQuery(request.url));
      if (query instanceof Error) return refuse(reply, 400, query.message);
      const project = await projectOf(request);
      const text = Readable.from(listText(project, kind, query));
      return reply.type("application/json").send(text);
    });
  }

  async function* listText(project: Project, kind: Kind, { limit, offset, cursor }: ListQuery) {
    const total = cursor?.total ?? (kind === "redirect" ? project.redirects : project.pages);
    const delivered = cursor?.delivered ?? offset;
    const wanted = limit > 0 ? limit : Number.POSITIVE_INFINITY;
    const walk = { projectId: project.id, version: project.version, kind };
    const start = cursor || limit <= 0 ? 0 : Math.max(0, offset);
    const known = start > 0 ? positions.find(walk, start) : undefined;
    let after = cursor?.id ?? known ?? 0;
    let skip = known === undefined ? start : 0;
    let count = 0;
    let text = '{"Items":[';
    while (count < wanted) {
      const ask = Math.min(rowsPerRead, wanted - count);
      const rows = await items.list({ projectId: project.id, kind, after, limit: ask, offset: skip });
      if (rows.length > 0)
        text += (count > 0 ? "," : "") + rows.map((row) => goJson(redirectOrPage(row))).join();
      after = rows.at(-1)?.id ?? after;
      skip = 0;
      count += rows.length;
      if (rows.length < ask) break;
      if (count < wanted) {
        yield text;
        text = "";
      }
    }
    if (!cursor && limit > 0 && count > 0) positions.note(walk, start + count, after);
    const next =
      count === limit && limit > 0 ? formatCursor({ id: after, total, delivered: delivered + count }) : "";
    yield `${text}],"Total":${total},"Limit":${limit},"Offset":${delivered}${next && `,"Next":"${next}"`}}\n`;
  }

  app.post("/agents", access({ resource: "agent", action: "write" }), async (request, reply) => {
    const body = typeof request.body === "string" ? request.body : "";
    if (body !== "" && !(request.headers["content-type"] ?? "").startsWith("application/json"))
      return refuse(reply, 400, "code=415, message=Unsupported Media Type");
    const report = parsed(() => parseAgentReport(body));
    if (report instanceof Error) return refuse(reply, 400, report.message);
    const { id } = await projectOf(request);
    if (!(await agents.isKnown(id, report.name))) {
      const missing =
        report.status === "" ? "status" : report.load_duration === 0 ? "load_duration" : undefined;
      if (missing) return refuse(reply, 500, `agent ${missing} is required for creation`);
    }
    await agents.report(id, report);
    return reply.code(200).send();
  });

  app.patch("/agents/:name/hit", access({ resource: "agent", action: "write" }), async (request, reply) => {
    const { name } = request.params as { name: string };
    if (name === "") return refuse(reply, 400, "agent name is required");
    const { id } = await projectOf(request);
    return (await agents.hit(id, name)) ? reply.code(200).send() : refuse(reply, 500, "record not found");
  });
}

function parsed<T>(parse: () => T): T | Error {
  try {
    return parse();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return sendGoJson(reply.code(status), { message });
}

/** What our own agents use beside Flecto's API: the whole compressed, the difference, and being told. */
import { createGunzip } from "node:zlib";
import type { VersionEvent } from "@posthouse/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { errors } from "../errors.ts";
import type { Project } from "../store/project.ts";
import type { Stores } from "../store/stores.ts";
import { type ProjectParams, subjectOf } from "./auth.ts";
import type { EventHub } from "./event-hub.ts";

const compressFromBytes = 1_024;
const config = {
  access: {
    project: [
      { resource: "redirect", action: "read" },
      { resource: "page", action: "read" },
    ],
  },
} as const;

export function registerSyncApi(
  app: FastifyInstance,
  { projects, snapshots, changes }: Stores,
  events: EventHub,
): void {
  const projectOf = (request: FastifyRequest): Promise<Project> => {
    const { ns, prj } = request.params as ProjectParams;
    return projects.get(ns, prj);
  };

  app.get("/snapshot", { config }, async (request, reply) => {
    const project = await projectOf(request);
    const etag = (hash: string): string => `"${hash}"`;
    reply.header("vary", "accept-encoding");
    const current = etag(Buffer.from(project.hash).toString("hex"));
    if (matches(request.headers["if-none-match"], current))
      return reply.code(304).header("etag", current).send();
    const snapshot = await snapshots.open(project);
    reply.header("etag", etag(snapshot.hash)).type("application/x-ndjson");
    if (acceptsGzip(request))
      return reply
        .header("content-encoding", "gzip")
        .header("content-length", snapshot.bytes)
        .send(snapshot.stream);
    const plain = createGunzip();
    snapshot.stream.on("error", (error) => plain.destroy(error));
    plain.on("close", () => snapshot.stream.destroy());
    return reply.send(snapshot.stream.pipe(plain));
  });

  app.get("/changes", { config }, async (request, reply) => {
    const { from } = request.query as { from?: unknown };
    if (typeof from !== "string" || !/^\d{1,15}$/.test(from))
      throw errors.create("REQUEST_INVALID", { reason: "from must be a version, such as ?from=3" });
    const { text, gzip } = await changes.since(await projectOf(request), Number(from));
    reply.type("application/x-ndjson").header("vary", "accept-encoding");
    if (text.length < compressFromBytes || !acceptsGzip(request)) return reply.send(text);
    return reply.header("content-encoding", "gzip").send(gzip);
  });

  app.get("/events", { config }, async (request, reply) => {
    const before = await projectOf(request);
    reply.raw.socket?.setNoDelay(true);
    events.open(before.id, subjectOf(request), reply.raw, eventOf(before));
    reply.hijack();
    const after = await projectOf(request);
    if (after.version !== before.version) events.publish(after.id, eventOf(after)); // published while it opened
    return reply;
  });
}

function acceptsGzip(request: FastifyRequest): boolean {
  return /(?:^|[\s,])(?:gzip|\*)(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(
    String(request.headers["accept-encoding"] ?? ""),
  );
}

function matches(header: string | undefined, etag: string): boolean {
  return (header ?? "").split(",").some((given) => given.trim().replace(/^W\//, "") === etag);
}

function eventOf({ version, hash }: Project): VersionEvent {
  return { version, hash: Buffer.from(hash).toString("hex") };
}

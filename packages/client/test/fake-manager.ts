import { hash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gzipSync } from "node:zlib";
import {
  branchOf,
  type Change,
  formatItem,
  hashNode,
  hashRoot,
  type Item,
  leafOf,
  projectPath,
} from "@posthouse/protocol";

/** What the Manager does wrong. */
export type Fault = "none" | "html" | "hang" | "hang-body" | "truncate" | "wrong-hash" | "refuse" | "error";

export interface FakeManager {
  readonly url: string;
  readonly requests: string[];
  readonly reports: Record<string, unknown>[];
  /** Faults by the first segment below the project: version, snapshot, changes, redirects, pages, agents, events. */
  readonly faults: Map<string, Fault>;
  flecto: boolean;
  /** So many rows at the end of a Flecto list are not given, though they are counted. */
  missingRows: number;
  token: string;
  gzip: boolean;
  changesKept: boolean;
  agentsKnown: boolean;
  versionWithTag: boolean;
  /** Called before each answer to a request for the version, with its number. */
  beforeVersion: (count: number) => void;
  publish(items: readonly Item[], version?: number): void;
  /** The snapshot's lines, as text. */
  text(): string;
  hash(): string;
  sockets(): number;
  streams(): number;
  endStreams(): void;
  close(): Promise<void>;
}

const sha256 = (data: Uint8Array | string): Uint8Array => hash("sha256", data, "buffer");

/** The root hash, computed from the whole in the most direct way. */
export function hashOf(lines: ReadonlyMap<number, string>): string {
  const groups = <T>(entries: [number, T][], key: (index: number) => number) =>
    Map.groupBy(entries, ([i]) => key(i));
  const level = (entries: [number, Uint8Array][], key: (index: number) => number): [number, Uint8Array][] =>
    [...groups(entries, key)].map(([index, children]) => [
      index,
      hashNode(
        sha256,
        children.map(([i, h]) => ({ index: i, hash: h })),
      ),
    ]);
  const items = [...lines]
    .sort(([a], [b]) => a - b)
    .map(([id, line]): [number, Uint8Array] => [id, sha256(line)]);
  const branches = level(level(items, leafOf), branchOf);
  return Buffer.from(
    hashRoot(
      sha256,
      branches.map(([index, h]) => ({ index, hash: h })),
    ),
  ).toString("hex");
}

/** A Manager on a real socket: our protocol, or Flecto's. */
export async function startFakeManager(): Promise<FakeManager> {
  const base = projectPath("test", "shop");
  const versions = new Map<number, Map<number, string>>();
  let version = 1;
  let versionCount = 0;
  const streams = new Set<ServerResponse>();
  const sockets = new Set<Socket>();
  versions.set(1, new Map());
  const lines = () => versions.get(version) ?? new Map<number, string>();
  const announce = (stream: ServerResponse) =>
    stream.write(`event: version\ndata: ${JSON.stringify({ version, hash: manager.hash() })}\n\n`);

  const body = (
    response: ServerResponse,
    fault: Fault,
    text: string,
    headers: Record<string, string> = {},
  ) => {
    if (fault === "html") {
      response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Hello</title>");
      return;
    }
    const bytes = manager.gzip ? gzipSync(text) : Buffer.from(text);
    const extra = manager.gzip ? { "content-encoding": "gzip" } : {};
    response.writeHead(200, { "content-length": bytes.length, ...extra, ...headers });
    if (fault === "none" || fault === "wrong-hash") {
      response.end(bytes);
      return;
    }
    response.write(bytes.subarray(0, bytes.length >> 1));
    if (fault === "truncate") setTimeout(() => response.destroy(), 20);
  };
  const shown = (fault: Fault) => (fault === "wrong-hash" ? "0".repeat(64) : manager.hash());

  const answers: Record<
    string,
    (request: IncomingMessage, response: ServerResponse, fault: Fault, query: URLSearchParams) => void
  > = {
    version(_request, response, fault) {
      manager.beforeVersion(++versionCount);
      const headers: Record<string, string> = manager.flecto ? {} : { "posthouse-sync": "1" };
      if (manager.versionWithTag) headers.etag = `"${manager.hash()}"`;
      body(response, fault, `${version}\n`, headers);
    },
    snapshot(request, response, fault) {
      if (request.headers["if-none-match"] === `"${manager.hash()}"`) response.writeHead(304).end();
      else body(response, fault, manager.text().replace(manager.hash(), shown(fault)));
    },
    changes(_request, response, fault, query) {
      const from = Number(query.get("from"));
      const old = versions.get(from);
      if (old === undefined || !manager.changesKept) {
        response.writeHead(404).end('{"code":"CHANGES_GONE","message":"gone"}');
        return;
      }
      const now = lines();
      const changed: [number, string][] = [...now].filter(([id, line]) => old.get(id) !== line);
      const gone = [...old.keys()].filter((id) => !now.has(id));
      for (const id of gone) changed.push([id, JSON.stringify({ id, deleted: true } satisfies Change)]);
      changed.sort(([a], [b]) => a - b);
      const header = {
        posthouse: "changes",
        format: 1,
        from,
        to: version,
        hash: shown(fault),
        items: changed.length,
      };
      body(response, fault, [JSON.stringify(header), ...changed.map(([, line]) => line), ""].join("\n"));
    },
    events(_request, response) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      streams.add(response);
      response.on("close", () => streams.delete(response));
      announce(response);
    },
    agents(request, response) {
      const pieces: Buffer[] = [];
      request.on("data", (piece) => pieces.push(piece));
      request.on("end", () => {
        if (request.method === "POST") {
          manager.agentsKnown = true;
          manager.reports.push(JSON.parse(Buffer.concat(pieces).toString()));
          response.end();
        } else response.writeHead(manager.agentsKnown ? 200 : 500).end();
      });
    },
  };
  for (const [list, kind] of [
    ["redirects", "redirect"],
    ["pages", "page"],
  ] as const) {
    answers[list] = (_request, response, fault, query) => {
      const rows = [...lines().values()].map((line) => JSON.parse(line)).filter((item) => item.kind === kind);
      const [offset, limit] = [Number(query.get("offset")), Number(query.get("limit"))];
      const Items = rows
        .slice(0, rows.length - manager.missingRows)
        .slice(offset, offset + limit)
        .map(({ id, kind: _kind, ...row }) => row);
      body(response, fault, JSON.stringify({ Items, Total: rows.length, Limit: limit, Offset: offset }));
    };
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://fake");
    const path = url.pathname.slice(base.length + 1);
    const segment = path.split("/")[0] ?? "";
    const fault = manager.faults.get(segment) ?? "none";
    manager.requests.push(`${request.method} ${path}${url.search}`);
    const offered = !manager.flecto || !["snapshot", "changes", "events"].includes(segment);
    const answer = offered && url.pathname.startsWith(`${base}/`) ? answers[segment] : undefined;
    if (fault === "hang") return;
    if (request.headers.authorization !== `Bearer ${manager.token}`)
      response.writeHead(401).end('{"message":"invalid API token"}');
    else if (fault === "refuse") response.writeHead(403).end();
    else if (fault === "error") response.writeHead(500).end("out of order");
    else if (answer === undefined) response.writeHead(404).end();
    else answer(request, response, fault, url.searchParams);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const manager: FakeManager = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    reports: [],
    faults: new Map(),
    flecto: false,
    missingRows: 0,
    token: "secret",
    gzip: true,
    changesKept: true,
    agentsKnown: true,
    versionWithTag: false,
    beforeVersion: () => {},
    publish(items, next = version + 1) {
      version = next;
      versions.set(version, new Map(items.map((item) => [item.id, lineOf(item)])));
      for (const stream of streams) announce(stream);
    },
    text() {
      const header = { posthouse: "snapshot", format: 1, namespace: "test", project: "shop", version };
      const first = JSON.stringify({ ...header, hash: manager.hash(), items: lines().size });
      return [first, ...[...lines()].sort(([a], [b]) => a - b).map(([, line]) => line), ""].join("\n");
    },
    hash: () => hashOf(lines()),
    sockets: () => sockets.size,
    streams: () => streams.size,
    endStreams() {
      for (const stream of streams) stream.end();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return manager;
}

/** The canonical line; of an item that is none of ours, its JSON. */
function lineOf(item: Item): string {
  return item.kind === "redirect" && item.type in { BASIC: 1, BASIC_HOST: 1, REGEX: 1, REGEX_HOST: 1 }
    ? formatItem(item)
    : item.kind === "page"
      ? formatItem(item)
      : JSON.stringify(item);
}

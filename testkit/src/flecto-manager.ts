/** A Manager that answers agents exactly as Flecto's does, quirks included; its database is an array. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page, Redirect } from "@posthouse/protocol";

type Right = "redirect:read" | "page:read" | "agent:write";

export interface FlectoAgentRow {
  readonly name: string;
  readonly status: string;
  readonly type: string;
  readonly version: number;
  readonly load_duration: number;
  readonly error: string;
  hits: number;
}

export interface FlectoManager extends AsyncDisposable {
  /** Without a slash at its end; the project is `ns/prj`. */
  readonly url: string;
  readonly version: number;
  /** `GET /version`, below the project's path; of other paths the whole. */
  readonly requests: string[];
  readonly agents: Map<string, FlectoAgentRow>;
  token: string;
  rights: Set<Right>;
  /** Most rows of a list that are given, whatever was asked for; Flecto has no such bound, gateways do. */
  largestPage: number;
  /** Whether lists tell how to go on (Flecto does from 0.2.0 on). */
  cursors: boolean;
  /** Awaited before each answer, with the line of its request. */
  before: (line: string) => unknown;
  /** Replaces what is published; the version grows by one, or becomes what is given. */
  publish(content: { redirects?: readonly Redirect[]; pages?: readonly Page[] }, version?: number): void;
}

const base = "/api/namespace/ns/project/prj";
const agentName = /^[a-zA-Z0-9_-]+$/;
const columnLength = 500;

export async function startFlectoManager(token = "flecto_token"): Promise<FlectoManager> {
  let redirects: { id: number; row: Redirect }[] = [];
  let pages: { id: number; row: Page }[] = [];
  let version = 1;
  let lastId = 0;

  const server = createServer((request, response) => {
    request.on("error", () => {});
    response.on("error", () => {});
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<undefined> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://flecto");
    const path = pathname.startsWith(`${base}/`) ? pathname.slice(base.length) : pathname;
    const line = `${request.method} ${path}${request.url?.includes("?") ? `?${searchParams}` : ""}`;
    const body = await readText(request);
    manager.requests.push(line);
    await manager.before(line);

    if (!pathname.startsWith("/api/"))
      return void sendText(response, 200, "text/html; charset=utf-8", indexPage);
    const authorization = request.headers.authorization ?? "";
    if (!/^Bearer ./.test(authorization))
      return fail(response, 401, "missing or invalid Authorization header");
    if (authorization !== `Bearer ${manager.token}`) return fail(response, 401, "invalid API token");

    const hit = /^\/agents\/([^/]*)\/hit$/.exec(path);
    const list = /^\/(redirects|pages)$/.exec(path)?.[1];
    if (line === "GET /version") guarded(response, undefined, () => sendJson(response, 200, version));
    else if (list === "redirects" && request.method === "GET")
      guarded(response, "redirect:read", () => sendList(response, redirects, searchParams));
    else if (list === "pages" && request.method === "GET")
      guarded(response, "page:read", () => sendList(response, pages, searchParams));
    else if (line === "POST /agents")
      guarded(response, "agent:write", () => takeReport(request, response, body));
    else if (hit && request.method === "PATCH")
      guarded(response, "agent:write", () => takeHit(response, hit[1] ?? ""));
    else if (/^\/api\/namespace\/[^/]+\/project\/[^/]+\/version$/.test(path))
      fail(response, 500, "record not found");
    else if (request.method === "HEAD") response.writeHead(404).end();
    else fail(response, 404, "Not Found");
  }

  /** Without a right of its own, any right to read will do. */
  function guarded(response: ServerResponse, right: Right | undefined, then: () => void): void {
    const isAllowed =
      right === undefined
        ? manager.rights.has("redirect:read") || manager.rights.has("page:read")
        : manager.rights.has(right);
    if (isAllowed) then();
    else response.writeHead(403).end();
  }

  function sendList(
    response: ServerResponse,
    all: readonly { id: number; row: unknown }[],
    query: URLSearchParams,
  ): undefined {
    const numbers: Record<string, number> = { limit: 500, offset: 0 };
    for (const name of ["limit", "offset"]) {
      const given = query.get(name);
      if (given === null) continue;
      if (given !== "" && !/^[-+]?\d+$/.test(given)) {
        const parsing = `strconv.ParseInt: parsing ${JSON.stringify(given)}: invalid syntax`;
        return fail(response, 400, `code=400, message=${parsing}, internal=${parsing}`);
      }
      numbers[name] = Number(given);
    }
    const { limit = 0, offset = 0 } = numbers;
    const cursor = manager.cursors ? readCursor(query.get("cursor") ?? "") : undefined;
    if (cursor === "malformed") return fail(response, 400, "malformed cursor: illegal base64 data");
    const rest = cursor ? all.filter(({ id }) => id > cursor.id) : limit > 0 ? all.slice(offset) : all;
    const given = rest.slice(0, Math.min(limit > 0 ? limit : rest.length, manager.largestPage));
    const total = cursor?.total ?? all.length;
    const delivered = cursor?.delivered ?? offset;
    const next =
      manager.cursors && limit > 0 && given.length === limit
        ? { Next: writeCursor({ id: given.at(-1)?.id ?? 0, total, delivered: delivered + given.length }) }
        : {};
    const Items = given.map(({ row }) => row);
    sendJson(response, 200, { Items, Total: total, Limit: limit, Offset: delivered, ...next });
  }

  function takeReport(request: IncomingMessage, response: ServerResponse, text: string): undefined {
    if (!request.headers["content-type"]?.startsWith("application/json"))
      return fail(response, 400, "code=415, message=Unsupported Media Type");
    const given = JSON.parse(text) as Record<string, unknown>;
    const { name = "", type = "", status = "", version: loaded = 0, load_duration = 0, error = "" } = given;
    const wrong =
      typeof name !== "string" || !agentName.test(name)
        ? "invalid agent name: only alphanumeric characters, underscores and hyphens are allowed"
        : type !== "default" && type !== "traefik"
          ? `invalid agent type: ${type}`
          : status !== "" && status !== "success" && status !== "error"
            ? `invalid agent status: ${status}`
            : !/"version":-?[1-9]\d*[,}]/.test(text)
              ? "agent version is required"
              : !/"load_duration":-?\d+[,}]/.test(text)
                ? "code=400, message=invalid duration, internal=invalid duration"
                : undefined;
    if (wrong !== undefined) return fail(response, 400, wrong);
    if (!manager.agents.has(name as string)) {
      if (status === "") return fail(response, 500, "agent status is required for creation");
      if (load_duration === 0) return fail(response, 500, "agent load_duration is required for creation");
    }
    if ([...(error as string)].length > columnLength)
      return fail(response, 500, "Error 1406 (22001): Data too long for column 'error' at row 1");
    const row = { name, type, status, version: loaded, load_duration, error, hits: 0 };
    manager.agents.set(name as string, row as FlectoAgentRow);
    response.writeHead(200).end();
  }

  function takeHit(response: ServerResponse, name: string): undefined {
    if (name === "") return fail(response, 400, "agent name is required");
    const agent = manager.agents.get(name);
    if (agent === undefined) return fail(response, 500, "record not found");
    agent.hits++;
    response.writeHead(200).end();
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const manager: FlectoManager = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get version() {
      return version;
    },
    requests: [],
    agents: new Map(),
    token,
    rights: new Set(["redirect:read", "page:read", "agent:write"]),
    largestPage: Number.POSITIVE_INFINITY,
    cursors: true,
    before: () => {},
    publish(content, next = version + 1) {
      // An unchanged source keeps its id, as an update does.
      const idOf = (old: readonly { id: number; row: unknown }[], row: unknown): number =>
        old.find((each) => JSON.stringify(each.row) === JSON.stringify(row))?.id ?? ++lastId;
      const byId = (a: { id: number }, b: { id: number }): number => a.id - b.id;
      if (content.redirects)
        redirects = content.redirects.map((row) => ({ id: idOf(redirects, row), row })).toSorted(byId);
      if (content.pages) pages = content.pages.map((row) => ({ id: idOf(pages, row), row })).toSorted(byId);
      version = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await sleep(0);
    },
  };
  return manager;
}

interface Cursor {
  readonly id: number;
  readonly total: number;
  readonly delivered: number;
}

const writeCursor = (cursor: Cursor): string => Buffer.from(JSON.stringify(cursor)).toString("base64url");

function readCursor(text: string): Cursor | "malformed" | undefined {
  if (text === "") return undefined;
  try {
    return { id: 0, total: 0, delivered: 0, ...JSON.parse(Buffer.from(text, "base64url").toString()) };
  } catch {
    return "malformed";
  }
}

/** From this size on Go sends a body in chunks. */
const chunkedFrom = 2048;

function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  const bytes = Buffer.from(text);
  const length = bytes.length < chunkedFrom ? { "Content-Length": bytes.length } : {};
  response.writeHead(status, { "Content-Type": type, Vary: "Origin", ...length });
  for (let at = 0; at < bytes.length; at += chunkedFrom) response.write(bytes.subarray(at, at + chunkedFrom));
  response.end();
}

/** As Go's encoder: `<`, `>`, `&` and two line separators are escaped, a newline ends it. */
function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  sendText(response, status, "application/json", `${text}\n`);
}

function fail(response: ServerResponse, status: number, message: string): undefined {
  sendJson(response, status, { message });
}

async function readText(request: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces).toString();
}

const indexPage = '<!doctype html><html lang="en"><head><title>Flecto</title></head><body></body></html>\n';

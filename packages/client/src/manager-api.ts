import {
  type AgentReport,
  type PosthouseError,
  projectPath,
  syncHeader,
  type VersionEvent,
  versionEventSchema,
} from "@posthouse/protocol";
import type { ManagerOptions } from "./client-options.ts";
import { errors } from "./errors.ts";
import { readEvents } from "./event-reader.ts";
import type { Answer, Http, RequestOptions } from "./http.ts";
import { parseJson } from "./snapshot.ts";

/** The endpoints of a Manager that an agent uses. Everything throws coded errors only. */
export interface ManagerApi {
  version(): Promise<VersionAnswer>;
  /** Undefined when the Manager's snapshot has the hash that was given. */
  snapshot(knownHash: string | undefined): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Undefined when the Manager no longer knows that difference. */
  changes(from: number): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** One page of a Flecto list, parsed as JSON: from a cursor that the page before gave, else from an offset. */
  list(kind: "redirects" | "pages", limit: number, from: number | string): Promise<unknown>;
  /** Calls `opened` once the stream stands. Returns when the Manager ends it. */
  events(silenceMs: number, opened: () => void, take: (event: VersionEvent) => void): Promise<void>;
  report(report: AgentReport): Promise<void>;
  hit(agent: string): Promise<void>;
}

export interface VersionAnswer {
  readonly version: number;
  /** Whether snapshot, changes and events are offered. */
  readonly sync: boolean;
  /** Hash of that version, where the Manager tells it as an entity tag. */
  readonly hash: string | undefined;
}

const maxSnapshotBytes = 2 ** 30;
const maxListBytes = 256 * 1024 * 1024;

export function createManagerApi(http: Http, manager: ManagerOptions): ManagerApi {
  const base = manager.url.replace(/\/+$/, "") + projectPath(manager.namespace, manager.project);
  const credentials = { [manager.authorizationHeader ?? "authorization"]: `Bearer ${manager.token}` };

  const call = async (method: string, path: string, options: RequestOptions = {}): Promise<Answer> => {
    const headers = { ...options.headers, ...credentials };
    return await http.request(method, `${base}${path}`, { ...options, headers });
  };
  const get = async (path: string, options?: RequestOptions): Promise<Answer> => {
    const answer = await call("GET", path, options);
    if (answer.status !== 200) throw await failure(answer);
    return answer;
  };
  const tell = async (method: string, path: string, options?: RequestOptions): Promise<void> => {
    const answer = await call(method, path, options);
    if (answer.status < 200 || answer.status > 299) throw await failure(answer);
    await answer.text();
  };

  return {
    async version() {
      const answer = await get("/version");
      const text = (await answer.text()).trim();
      const version = Number(text);
      if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(version))
        throw unusable(answer, `not a version: ${cut(text)}`);
      const hash = /^(?:W\/)?"([0-9a-f]{64})"$/.exec(answer.headers.etag ?? "")?.[1];
      return { version, sync: answer.headers[syncHeader] !== undefined, hash };
    },
    async snapshot(knownHash) {
      const headers: Record<string, string> =
        knownHash === undefined ? {} : { "if-none-match": `"${knownHash}"` };
      const answer = await call("GET", "/snapshot", { headers, maxBytes: maxSnapshotBytes });
      if (answer.status === 304 && knownHash !== undefined) {
        await answer.text();
        return undefined;
      }
      if (answer.status !== 200) throw await failure(answer);
      return notPage(answer).body;
    },
    async changes(from) {
      const answer = await call("GET", `/changes?from=${from}`, { maxBytes: maxSnapshotBytes });
      if (answer.status === 404) {
        await answer.text();
        return undefined;
      }
      if (answer.status !== 200) throw await failure(answer);
      return notPage(answer).body;
    },
    async list(kind, limit, from) {
      const place = typeof from === "number" ? `offset=${from}` : `cursor=${encodeURIComponent(from)}`;
      const answer = notPage(await get(`/${kind}?limit=${limit}&${place}`, { maxBytes: maxListBytes }));
      const list = parseJson(await answer.text());
      if (list === undefined) throw unusable(answer, "not JSON");
      return list;
    },
    async events(silenceMs, opened, take) {
      const headers = { accept: "text/event-stream", "accept-encoding": "identity" };
      const limits = { idleMs: silenceMs, totalMs: Infinity, maxBytes: Infinity };
      const answer = await get("/events", { headers, ...limits });
      if (!answer.headers["content-type"]?.startsWith("text/event-stream")) {
        answer.discard();
        throw unusable(answer, "not a stream of events");
      }
      opened();
      for await (const { event, data } of readEvents(answer.body)) {
        if (event !== "version") continue;
        const parsed = versionEventSchema.safeParse(parseJson(data));
        if (!parsed.success) throw unusable(answer, `not a version: ${cut(data)}`);
        take(parsed.data);
      }
    },
    report: (report) =>
      tell("POST", "/agents", {
        body: JSON.stringify(report),
        headers: { "content-type": "application/json" },
      }),
    hit: (agent) => tell("PATCH", `/agents/${agent}/hit`),
  };
}

function notPage(answer: Answer): Answer {
  if (!answer.headers["content-type"]?.startsWith("text/html")) return answer;
  answer.discard();
  throw unusable(answer, "a web page");
}

async function failure(answer: Answer): Promise<PosthouseError> {
  const { url, status } = answer;
  // What the body says is a help, no more: an answer that fails while it is read is still that answer.
  const body = cut(await answer.text().catch(() => ""));
  return errors.create(status === 401 || status === 403 ? "MANAGER_REFUSED_TOKEN" : "MANAGER_FAILED", {
    url,
    status,
    body,
  });
}

function unusable({ url }: Answer, reason: string): PosthouseError {
  return errors.create("MANAGER_ANSWER_UNUSABLE", { url, reason });
}

function cut(text: string): string {
  const flat = text.replace(/\s+/g, " ").trim();
  return flat === "" ? "(nothing)" : flat.length > 200 ? `${flat.slice(0, 200)}…`.toWellFormed() : flat;
}

/**
 * A client that behaves on the wire as Flecto's Go client does, defects included: what it sends is fixed to the byte,
 * only status 200 is success, lists are walked by `limit=100` and `Total` alone, the version is read twice and the first
 * reading is reported, one failure fails the whole load, nothing is retried.
 */
import { connect, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";

export interface GoClientOptions {
  readonly port: number;
  readonly namespace: string;
  readonly project: string;
  readonly agent: string;
  readonly token: string;
  readonly type?: string;
  /** Awaited before each request, with its line. */
  readonly before?: (line: string, count: number) => Promise<void>;
}

export interface GoClient {
  /** Version that is loaded; 0 before the first. */
  readonly version: number;
  readonly redirects: readonly unknown[];
  readonly pages: readonly unknown[];
  /** Connections made so far. */
  readonly connections: number;
  /** Everything sent and received so far. */
  readonly exchanges: readonly GoExchange[];
  /** One check: loads when the version differs, else tells that it is alive. Rejects as the Go client returns errors. */
  check(): Promise<void>;
  close(): void;
}

export interface GoExchange {
  /** The bytes of the request. */
  readonly sent: string;
  /** `GET …/version`, below the project's path. */
  readonly line: string;
  readonly status: number;
  /** Head of the answer as it came. */
  readonly head: string;
  /** Body of the answer, unpacked. */
  readonly body: string;
}

const limit = 100;
const namePattern = /^[a-zA-Z0-9_-]+$/;

export function createGoClient(options: GoClientOptions): GoClient {
  const { port, token, agent, type = "default" } = options;
  const base = `/api/namespace/${options.namespace}/project/${options.project}`;
  const exchanges: GoExchange[] = [];
  const connection = createConnection(port);
  let state = { version: 0, redirects: [] as unknown[], pages: [] as unknown[] };

  async function call(method: string, path: string, body?: string): Promise<string> {
    // Go writes Host, User-Agent and the length first, then the given headers by name, then its own Accept-Encoding.
    const length = method === "GET" ? [] : [`Content-Length: ${Buffer.byteLength(body ?? "")}`];
    const contentType = body === undefined ? [] : ["Content-Type: application/json"];
    const head = [
      `${method} ${base}${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      "User-Agent: Go-http-client/1.1",
      ...length,
      `Authorization: Bearer ${token}`,
      ...contentType,
      "Accept-Encoding: gzip",
    ];
    const sent = `${head.join("\r\n")}\r\n\r\n${body ?? ""}`;
    await options.before?.(`${method} ${path}`, exchanges.length);
    const answer = await connection.exchange(sent);
    exchanges.push({ sent, line: `${method} ${path}`, ...answer });
    if (answer.status !== 200) {
      const url = `http://127.0.0.1:${port}${base}${path.split("?")[0]}`;
      const statusLine = answer.head.split("\r\n")[0]?.replace("HTTP/1.1 ", "");
      throw new Error(`unexpected status code for ${url}: ${statusLine} (${answer.status}) ${answer.body}`);
    }
    return answer.body;
  }

  async function readVersion(): Promise<number> {
    const text = (await call("GET", "/version")).trim();
    if (!/^[-+]?\d+$/.test(text))
      throw new Error(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
    return Number(text);
  }

  async function walk(list: "redirects" | "pages"): Promise<unknown[]> {
    const items: unknown[] = [];
    for (let offset = 0, total = 1; offset < total; offset += limit) {
      const page = JSON.parse(await call("GET", `/${list}?limit=${limit}&offset=${offset}`)) as {
        Items: unknown[];
        Total: number;
      };
      items.push(...page.Items);
      total = page.Total;
    }
    return items;
  }

  async function report(status: string, version: number, nanoseconds: number, error: string): Promise<void> {
    if (!namePattern.test(agent))
      throw new Error(
        "invalid agent name: only alphanumeric characters, underscores and hyphens are allowed",
      );
    const body = goMarshal({ name: agent, status, type, version, load_duration: nanoseconds, error });
    await call("POST", "/agents", body);
  }

  return {
    get version() {
      return state.version;
    },
    get redirects() {
      return state.redirects;
    },
    get pages() {
      return state.pages;
    },
    get connections() {
      return connection.opened;
    },
    exchanges,
    async check() {
      const first = await readVersion();
      if (first === state.version) {
        await call("PATCH", `/agents/${agent}/hit`);
        return;
      }
      const startedAt = process.hrtime.bigint();
      const took = (): number => Number(process.hrtime.bigint() - startedAt);
      try {
        const version = await readVersion();
        state = { version, redirects: await walk("redirects"), pages: await walk("pages") };
      } catch (error) {
        await report("error", first, took(), (error as Error).message).catch(() => {});
        throw error;
      }
      await report("success", first, took(), "");
    },
    close: () => connection.close(),
  };
}

/** Compact JSON as Go's encoder writes it: with `<`, `>`, `&` and two line separators escaped. */
function goMarshal(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

interface Connection {
  readonly opened: number;
  exchange(bytes: string): Promise<{ status: number; head: string; body: string }>;
  close(): void;
}

const deadlineMs = 10_000;

/** One kept connection, opened anew when the other side has closed it. */
function createConnection(port: number): Connection {
  let socket: Socket | undefined;
  let received: Buffer = Buffer.alloc(0);
  let wake = (): void => {};
  let opened = 0;

  function open(): Socket {
    opened++;
    received = Buffer.alloc(0);
    const made = connect({ port, host: "127.0.0.1", noDelay: true });
    made.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      wake();
    });
    made.on("error", () => wake());
    made.on("close", () => {
      if (socket === made) socket = undefined;
      wake();
    });
    return made;
  }

  /** Takes bytes once `length` tells how many; undefined: more are needed. */
  async function take(length: () => number | undefined): Promise<Buffer> {
    const endsAt = performance.now() + deadlineMs;
    for (;;) {
      const count = length();
      if (count !== undefined && received.length >= count) {
        const taken = received.subarray(0, count);
        received = received.subarray(count);
        return taken;
      }
      if (socket === undefined) throw new Error("unexpected EOF");
      if (performance.now() > endsAt) throw new Error("no whole answer in time");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
  const takeLine = async (end: string): Promise<string> => {
    const line = await take(() => {
      const at = received.indexOf(end);
      return at === -1 ? undefined : at + end.length;
    });
    return line.toString("latin1").slice(0, -end.length);
  };

  async function takeBody(head: string, status: number): Promise<Buffer> {
    const header = (name: string): string | undefined =>
      new RegExp(`^${name}: *(.*)$`, "im").exec(head)?.[1]?.trim();
    let body: Buffer = Buffer.alloc(0);
    if (header("transfer-encoding") === "chunked") {
      for (;;) {
        const size = Number.parseInt(await takeLine("\r\n"), 16);
        const chunk = await take(() => size + 2);
        if (size === 0) break;
        body = Buffer.concat([body, chunk.subarray(0, size)]);
      }
    } else if (status !== 204 && status !== 304) {
      const length = Number(header("content-length"));
      if (!Number.isInteger(length)) throw new Error(`a body without a length:\n${head}`);
      body = await take(() => length);
    }
    return header("content-encoding") === "gzip" ? gunzipSync(body) : body;
  }

  return {
    get opened() {
      return opened;
    },
    async exchange(bytes) {
      socket ??= open();
      socket.write(bytes);
      const head = await takeLine("\r\n\r\n");
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
      return { status, head, body: (await takeBody(head, status)).toString() };
    },
    close: () => socket?.destroy(),
  };
}

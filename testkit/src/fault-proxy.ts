import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream";

/** What stands between an agent and its Manager does wrong. */
export type ProxyFault =
  | "none"
  /** Nobody listens; connections that stood are reset. */
  | "down"
  /** Connections are taken, and nothing ever comes. */
  | "hangs"
  /** A web page with status 200, whatever is asked for. */
  | "html"
  /** Status 503, as of a gateway without its server. */
  | "refuses"
  /** Rules are cut in the middle. */
  | "truncated"
  /** A target in the rules is another one than was published. */
  | "altered";

/** A proxy on a port of its own, in front of an HTTP server that works. */
export interface FaultProxy extends AsyncDisposable {
  readonly url: string;
  /** Where requests go. May be changed at any time. */
  origin: string;
  set(fault: ProxyFault): Promise<void>;
}

export async function startFaultProxy(origin: string, first: ProxyFault = "none"): Promise<FaultProxy> {
  let fault: ProxyFault = "none";
  let port = 0;
  const sockets = new Set<Socket>();
  const server = createServer((incoming, answer) => {
    incoming.on("error", () => {});
    answer.on("error", () => {});
    respond(incoming, answer);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });

  function respond(incoming: IncomingMessage, answer: ServerResponse): void {
    if (fault === "hangs") return;
    if (fault === "html") answer.writeHead(200, { "content-type": "text/html" }).end(webPage);
    else if (fault === "refuses") answer.writeHead(503).end("no server is available\n");
    else forward(incoming, answer);
  }

  function forward(incoming: IncomingMessage, answer: ServerResponse): void {
    const isRules = /\/(?:snapshot|changes|redirects|pages)(?:\?|$)/.test(incoming.url ?? "");
    const spoilt = isRules && (fault === "truncated" || fault === "altered") ? fault : undefined;
    const headers = { ...incoming.headers };
    if (spoilt === "altered") delete headers["accept-encoding"];
    const asked = request(
      new URL(incoming.url ?? "/", proxy.origin),
      { method: incoming.method, headers },
      (given) => {
        if (spoilt !== undefined) return void spoil(given, answer, spoilt);
        answer.writeHead(given.statusCode ?? 502, given.headers);
        answer.flushHeaders();
        // Once it hangs, what is under way hangs too.
        given.on("data", (bytes) => fault !== "hangs" && answer.write(bytes));
        given.on("end", () => fault !== "hangs" && answer.end());
        given.on("error", () => answer.destroy());
      },
    );
    asked.on("error", () => answer.destroy());
    answer.on("close", () => asked.destroy());
    pipeline(incoming, asked, () => {});
  }

  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => resolve());
    });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.resetAndDestroy();
    });

  for (let attempt = 1; ; attempt++) {
    port = firstPort + Math.floor(Math.random() * ports);
    const taken = await listen().catch((error: unknown) => error);
    if (taken === undefined) break;
    if (attempt === 20) throw taken;
  }
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${port}`,
    origin,
    async set(next) {
      if (next === "down" && fault !== "down") await close();
      if (next !== "down" && fault === "down") await listen();
      fault = next;
    },
    async [Symbol.asyncDispose]() {
      if (fault !== "down") await close();
    },
  };
  await proxy.set(first);
  return proxy;
}

/** Below those that systems give to who asks for any port: while nobody listens, nobody else gets it. */
const firstPort = 20_000;
const ports = 10_000;

const webPage = "<!doctype html><title>Log in</title><p>This network wants you to log in.</p>\n";

async function spoil(
  given: IncomingMessage,
  answer: ServerResponse,
  how: "truncated" | "altered",
): Promise<void> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of given) pieces.push(piece as Uint8Array);
  } catch {
    return void answer.destroy();
  }
  const body = Buffer.concat(pieces);
  const { "content-length": _length, ...headers } = given.headers;
  if (how === "altered" || given.statusCode !== 200) {
    const text = how === "altered" ? body.toString().replace('"target":"', '"target":"/altered') : body;
    answer.writeHead(given.statusCode ?? 502, headers).end(text);
    return;
  }
  answer.writeHead(200, { ...headers, "content-length": body.length });
  answer.write(body.subarray(0, body.length >> 1), () => answer.destroy());
}

import { createServer, type Socket } from "node:net";
import { requestLength } from "./raw-backend.ts";

/** What a backend can do to a request; the request's path names it: `/resets%20in%20the%20body/anything`. */
export type BackendFault =
  | "answers"
  | "answers at length"
  | "answers in chunks"
  | "answers until it closes"
  | "answers and closes"
  | "answers and closes soon"
  | "answers and resets"
  | "answers before it has the body"
  | "switches protocols"
  | "switches and resets"
  | "hangs"
  | "hangs within the head"
  | "hangs within the body"
  | "hangs within a chunk"
  | "closes without a word"
  | "resets without a word"
  | "resets at the head"
  | "closes within the head"
  | "closes within the body"
  | "closes within a chunk"
  | "resets within the body"
  | "resets a large answer"
  | "sends garbage"
  | "sends garbage chunks"
  | "sends too little"
  | "sends too much"
  | "sends too much later"
  | "sends two answers"
  | "sends a head without end";

export interface FaultyBackend extends AsyncDisposable {
  readonly port: number;
  /** Connections open now. */
  readonly open: number;
  /** Requests whose head arrived, by method. */
  readonly seen: ReadonlyMap<string, number>;
}

/** Body of a large answer that is whole. */
export const largeBody: string = "0123456789abcdef".repeat(16 * 1024);

const reply = (body: string, ...lines: string[]): string =>
  ["HTTP/1.1 200 OK", `Content-Length: ${body.length}`, ...lines, "", body].join("\r\n");
const begun = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789";
const chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello";

/** Each is called once a request is whole, but for those of `early`. */
const faults: Readonly<Record<BackendFault, (socket: Socket) => unknown>> = {
  answers: (socket) => socket.write(reply("ok")),
  "answers at length": (socket) => socket.write(reply(largeBody)),
  "answers in chunks": (socket) => socket.write(`${chunks}2\r\nok\r\n0\r\n\r\n`),
  "answers until it closes": (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nok"),
  "answers and closes": (socket) => socket.end(reply("ok")),
  "answers and closes soon": (socket) => {
    socket.write(reply("ok"));
    setTimeout(() => socket.destroy(), 1 + Math.random() * 20);
  },
  "answers and resets": (socket) => socket.write(reply("ok"), () => socket.resetAndDestroy()),
  "answers before it has the body": (socket) => socket.write(reply("ok")),
  "switches protocols": (socket) => socket.write(switched),
  "switches and resets": (socket) => socket.write(switched, () => socket.resetAndDestroy()),
  hangs: () => {},
  "hangs within the head": (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-"),
  "hangs within the body": (socket) => socket.write(begun),
  "hangs within a chunk": (socket) => socket.write(`${chunks}ff\r\nbegun`),
  "closes without a word": (socket) => socket.end(),
  "resets without a word": (socket) => socket.resetAndDestroy(),
  "resets at the head": (socket) => socket.resetAndDestroy(),
  "closes within the head": (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-"),
  "closes within the body": (socket) => socket.end(begun),
  "closes within a chunk": (socket) => socket.end(`${chunks}ff\r\nbegun`),
  "resets within the body": (socket) => socket.write(begun, () => socket.resetAndDestroy()),
  "resets a large answer": (socket) =>
    socket.write(reply(largeBody).slice(0, 100_000), () => socket.resetAndDestroy()),
  "sends garbage": (socket) => socket.write("\u0000\u0001SSH-2.0-OpenSSH_9.9\r\n\r\n"),
  "sends garbage chunks": (socket) => socket.write(`${chunks}2\r\nokx\r\n`),
  "sends too little": (socket) => socket.end(begun),
  "sends too much": (socket) => socket.write(`${reply("ok")}and more`),
  "sends too much later": (socket) => {
    socket.write(reply("ok"));
    setTimeout(() => socket.writable && socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 3);
  },
  "sends two answers": (socket) => socket.write(reply("ok") + reply("no")),
  "sends a head without end": (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`),
};

const early: ReadonlySet<string> = new Set<BackendFault>([
  "answers before it has the body",
  "resets at the head",
]);

/** All faults. */
export const backendFaults: readonly BackendFault[] = Object.keys(faults) as BackendFault[];

/** Starts a backend on 127.0.0.1 that keeps connections open unless a fault ends them. */
export async function startFaultyBackend(): Promise<FaultyBackend> {
  const sockets = new Set<Socket>();
  const seen = new Map<string, number>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    serve(socket, (method) => seen.set(method, (seen.get(method) ?? 0) + 1));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    get open() {
      return sockets.size;
    },
    seen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function serve(socket: Socket, onHead: (method: string) => void): void {
  let received = "";
  let isUpgraded = false;
  let isCounted = false;
  /** Of a body whose request is answered already. */
  let unwanted = 0;
  /** Length of the request that arrives, once its head is there. */
  let needed = 0;
  socket.on("data", (bytes: Buffer) => {
    if (isUpgraded) return void socket.write(bytes);
    received += bytes.toString("latin1", Math.min(unwanted, bytes.length));
    unwanted = Math.max(0, unwanted - bytes.length);
    if (isCounted && received.length < needed) return;
    for (;;) {
      const [, method = "", name = ""] =
        /^([A-Z]+) \/([^/ ]*)[^\r]*\r\n[\s\S]*?\r\n\r\n/.exec(received) ?? [];
      if (method === "") return;
      if (!isCounted) onHead(method);
      isCounted = true;
      needed = wholeLength(received);
      const fault = decodeURIComponent(name) as BackendFault;
      const length = requestLength(received);
      if (length === undefined && !early.has(fault)) return;
      unwanted = length === undefined ? needed - received.length : 0;
      received = length === undefined ? "" : received.slice(length);
      isCounted = false;
      isUpgraded = fault.startsWith("switches");
      (faults[fault] ?? faults.answers)(socket);
    }
  });
}

function wholeLength(text: string): number {
  return text.indexOf("\r\n\r\n") + 4 + Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0);
}

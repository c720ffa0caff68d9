import { lstat, unlink } from "node:fs/promises";
import type { Server as HttpServer } from "node:http";
import { connect, type Server } from "node:net";
import { serviceErrors } from "./errors.ts";
import { formatListen, type ListenAddress } from "./values.ts";

/**
 * Listens and resolves with the address got. A unix socket gets mode 0660; the one that a dead process left is replaced.
 * Throws PORT_IN_USE, PORT_REFUSED or LISTEN_FAILED.
 */
export async function listenOn(server: Server, listen: ListenAddress): Promise<ListenAddress> {
  if (listen.path !== undefined) await clearSocket(listen.path);
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      server.off("listening", onListening);
      const address = formatListen(listen);
      const codes = { EADDRINUSE: "PORT_IN_USE", EACCES: "PORT_REFUSED" } as const;
      const code = codes[cause.code as keyof typeof codes] ?? "LISTEN_FAILED";
      reject(serviceErrors.create(code, { address, reason: cause.message }, { cause }));
    };
    const onListening = (): void => {
      server.off("error", onError);
      resolve();
    };
    server.once("error", onError);
    server.once("listening", onListening);
    begin(server, listen);
  });
  const got = server.address();
  return typeof got === "object" && got !== null ? { host: got.address, port: got.port } : listen;
}

/** Connections that wait to be accepted, where the system allows as many: after a restart all clients come at once. */
const backlog = 4096;

function begin(server: Server, { host, port, path }: ListenAddress): void {
  if (path === undefined) {
    server.listen(host === "" ? { port, backlog } : { host, port, backlog });
    return;
  }
  // The socket is made within this call, and never open to all.
  const before = process.umask(0o117);
  try {
    server.listen({ path });
  } finally {
    process.umask(before);
  }
}

/** Removes the socket of a process that is gone. Throws PORT_IN_USE, LISTEN_FAILED. */
async function clearSocket(path: string): Promise<void> {
  const address = formatListen({ host: "", port: 0, path });
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw serviceErrors.create("LISTEN_FAILED", { address, reason: "there is a file that is no socket" });
  if ((await connectError(path)) !== "ECONNREFUSED") throw serviceErrors.create("PORT_IN_USE", { address });
  await unlink(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return;
    throw serviceErrors.create("LISTEN_FAILED", { address, reason: cause.message }, { cause });
  });
}

function connectError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
  });
}

const sweepMs = 50;
const closing = new WeakMap<Server | HttpServer, Promise<void>>();

function close(server: Server | HttpServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  closing.set(server, closed);
  return closed.finally(() => closing.delete(server));
}

/**
 * Stops accepting, closes idle HTTP connections, waits for the others and destroys them at the deadline. Connections of
 * a plain TCP server and upgraded ones are their owner's to end. Safe when the server does not listen; called again before
 * all is closed, the earlier deadline holds.
 */
export async function closeServer(server: Server | HttpServer, deadlineMs: number): Promise<void> {
  const closed = closing.get(server) ?? (server.listening ? close(server) : undefined);
  if (closed === undefined) return;
  if (!("closeAllConnections" in server)) return closed;
  server.closeIdleConnections();
  // Those that are busy now become idle after their answer, when that did not say that it is the last.
  const sweep = setInterval(() => server.closeIdleConnections(), sweepMs);
  const timer = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(timer);
}

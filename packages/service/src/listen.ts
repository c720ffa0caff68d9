import type { Server as HttpServer } from "node:http";
import type { Server } from "node:net";
import { serviceErrors } from "./errors.ts";
import { formatListen, type ListenAddress } from "./values.ts";

/** Listens and resolves with the address got. Throws PORT_IN_USE, PORT_REFUSED or LISTEN_FAILED. */
export function listenOn(server: Server, { host, port }: ListenAddress): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      server.off("listening", onListening);
      const address = formatListen({ host, port });
      const codes = { EADDRINUSE: "PORT_IN_USE", EACCES: "PORT_REFUSED" } as const;
      const code = codes[cause.code as keyof typeof codes] ?? "LISTEN_FAILED";
      reject(serviceErrors.create(code, { address, reason: cause.message }, { cause }));
    };
    const onListening = (): void => {
      server.off("error", onError);
      const got = server.address();
      resolve(
        typeof got === "object" && got !== null ? { host: got.address, port: got.port } : { host, port },
      );
    };
    server.once("error", onError);
    server.once("listening", onListening);
    server.listen(host === "" ? { port } : { host, port });
  });
}

const sweepMs = 50;

/**
 * Stops accepting, closes idle HTTP connections, waits for the others and destroys them at the deadline. Connections of
 * a plain TCP server and upgraded ones are their owner's to end. Safe when the server does not listen.
 */
export async function closeServer(server: Server | HttpServer, deadlineMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  if (!("closeAllConnections" in server)) return closed;
  server.closeIdleConnections();
  // Those that are busy now become idle after their answer, when that did not say that it is the last.
  const sweep = setInterval(() => server.closeIdleConnections(), sweepMs);
  const timer = setTimeout(() => server.closeAllConnections(), deadlineMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(timer);
}

import { createServer, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";

/** One connection that a raw backend has accepted. */
export interface RawConnection {
  readonly socket: Socket;
  /** All bytes received so far, as latin1. */
  readonly received: string;
  /** Breaks the connection off, also beneath TLS. */
  reset(): void;
}

export interface RawBackend extends AsyncDisposable {
  readonly port: number;
  readonly connections: readonly RawConnection[];
  /** All bytes received on all connections, in the order of the connections. */
  readonly received: string;
}

/** Decides what to do whenever bytes have arrived; `connection.received` holds all of them. */
export type RawScript = (connection: RawConnection, index: number) => void;

/** A backend that speaks nothing by itself: it records bytes and leaves the answer to the script. With `tls`, behind TLS. */
export async function startRawBackend(
  script: RawScript,
  tls?: { readonly cert: string; readonly key: string },
): Promise<RawBackend> {
  const connections: (RawConnection & { received: string })[] = [];
  const secureContext = tls && createSecureContext(tls);
  const server = createServer({ allowHalfOpen: true }, (raw) => {
    const socket = secureContext ? new TLSSocket(raw, { isServer: true, secureContext }) : raw;
    const connection = { socket, received: "", reset: () => void raw.resetAndDestroy() };
    const index = connections.push(connection) - 1;
    raw.on("error", () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => {
      connection.received += chunk.toString("latin1");
      script(connection, index);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    connections,
    get received() {
      return connections.map(({ received }) => received).join("");
    },
    async [Symbol.asyncDispose]() {
      for (const { socket } of connections) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers every whole request with these bytes; a request is whole after its head and the body that the head announces. */
export function answerWith(bytes: string): RawScript {
  const answered = new WeakMap<RawConnection, number>();
  return (connection) => {
    for (;;) {
      const from = answered.get(connection) ?? 0;
      const length = requestLength(connection.received.slice(from));
      if (length === undefined) return;
      answered.set(connection, from + length);
      connection.socket.write(Buffer.from(bytes, "latin1"));
    }
  };
}

/** Length of the first whole request in a text; undefined when it is not whole yet. */
export function requestLength(text: string): number | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const head = text.slice(0, end);
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (length !== undefined)
    return text.length >= end + 4 + Number(length) ? end + 4 + Number(length) : undefined;
  if (!/^transfer-encoding: *chunked/im.test(head)) return end + 4;
  const last = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(end + 4));
  return last === null ? undefined : end + 4 + last.index + last[0].length;
}

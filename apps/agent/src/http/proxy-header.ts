import type { Socket } from "node:net";
import { parseProxyHeader } from "./proxy-protocol.ts";

const deadlineMs = 5_000;

/**
 * Takes the PROXY header from the start of a connection and leaves what follows. Calls `found` with the client that it
 * announces, or closes the connection and calls `refused`, also when the header takes longer than 5 s.
 */
export function takeProxyHeader(
  socket: Socket,
  found: (source: string | undefined) => void,
  refused: (reason: string) => void,
): void {
  let received: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => refuse("no PROXY header in time"), deadlineMs);

  function leave(): void {
    clearTimeout(timer);
    socket.off("readable", onReadable).off("end", onEnd).off("close", onEnd).off("error", onError);
  }

  function refuse(reason: string): void {
    leave();
    socket.on("error", () => {});
    socket.destroy();
    refused(reason);
  }

  function onReadable(): void {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const header = parseProxyHeader(received);
      if (header === "more") continue;
      if (header === "bad") {
        refuse("no PROXY header that can be understood");
        return;
      }
      leave();
      const rest = received.subarray(header.bytes);
      if (rest.length > 0) socket.unshift(rest);
      found(header.source);
      return;
    }
  }

  const onEnd = (): void => refuse("closed before its PROXY header");
  const onError = (): void => refuse("broke before its PROXY header");
  socket.on("readable", onReadable).on("end", onEnd).on("close", onEnd).on("error", onError);
}

import type { Socket } from "node:net";

/** Ends a connection so that the other side cannot take what it got for the whole. TLS and unix sockets cannot: they just end. */
export function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}

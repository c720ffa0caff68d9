import type { Socket } from "node:net";

/** Ends a connection by a reset. One that is ending already is only destroyed: Node would lose its handle. */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Requests that arrived before the one ahead of them was answered. */
export interface Pipelines {
  /** Calls `serve` when all that came earlier on the connection is answered; never when the connection ends first. */
  wait(request: IncomingMessage, response: ServerResponse, serve: () => void): void;
}

/** Beyond it nothing more is read from the connection. */
const maxWaiting = 32;

export function createPipelines(): Pipelines {
  const waiting = new WeakMap<Socket, number>();

  /** Not at once, since Node resumes a connection at the end of each request that it parses or answers. */
  function pauseSoon(socket: Socket): void {
    setImmediate(() => {
      if ((waiting.get(socket) ?? 0) > maxWaiting) socket.pause();
    });
  }

  return {
    wait({ socket }, response, serve) {
      const count = (waiting.get(socket) ?? 0) + 1;
      waiting.set(socket, count);
      if (count === maxWaiting + 1) pauseSoon(socket);
      // Node gives a response its socket when the one before it has been sent.
      response.once("socket", () => {
        const left = (waiting.get(socket) ?? 1) - 1;
        waiting.set(socket, left);
        if (left > maxWaiting) pauseSoon(socket);
        else if (left === maxWaiting) socket.resume();
        serve();
      });
    },
  };
}

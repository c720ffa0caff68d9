import type { Socket } from "node:net";
import { unmappedIp } from "./ip-address.ts";

const known = Symbol("peer");

type Marked = Socket & { [known]?: string | undefined };

/** The other end of a connection: its address (IPv4 unmapped), or `unix`. */
export function peerOf(socket: Socket): string | undefined {
  const marked = socket as Marked;
  if (marked[known] === undefined && socket.remoteAddress !== undefined)
    marked[known] = unmappedIp(socket.remoteAddress);
  return marked[known];
}

/** Says who the other end is, for those that come through a socket that cannot tell. */
export function setPeer(socket: Socket, peer: string | undefined): void {
  (socket as Marked)[known] = peer;
}

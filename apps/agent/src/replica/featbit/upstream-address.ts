import type { Secret } from "@posthouse/service";

/** Where FeatBit is, and the relay proxy's key. */
export interface UpstreamAddress {
  /** For people: it holds no key. */
  readonly address: string;
  /** Registration drops the path (1.4), the socket keeps it (2.1). */
  readonly http: URL;
  readonly socket: string;
  readonly key: Secret;
}

/** Reads `flags.streaming_uri`: ws, wss, http and https. */
export function readUpstreamAddress(streamingUri: string, key: Secret): UpstreamAddress {
  const socket = streamingUri.replace(/\/+$/, "").replace(/^http/, "ws");
  return { address: socket, http: new URL(socket.replace(/^ws/, "http")), socket, key };
}

/** A receiver of events, as somebody would write one: it keeps every request that it answered with 204. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { answerWith, FaultPlan } from "./http-faults.ts";

export interface WebhookRequest {
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
  /** As sent, compressed perhaps. */
  readonly raw: Buffer;
  /** Unpacked. */
  readonly body: Buffer;
}

export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string;
  /** Those that were taken. */
  readonly requests: readonly WebhookRequest[];
  /** Of all that came, in order, those refused too. */
  readonly attempts: readonly WebhookRequest[];
  readonly faults: FaultPlan;
  /** Answers a body with this status in place of taking it. */
  refuse: ((request: WebhookRequest) => number | undefined) | undefined;
  /** Larger bodies are answered with 413, as a reverse proxy does. */
  limitBytes: number;
  /** Gets each request that is taken, in place of `requests` and `attempts`: for long runs. */
  onTaken: ((request: WebhookRequest) => void) | undefined;
}

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const sockets = new Set<Socket>();
  const requests: WebhookRequest[] = [];
  const attempts: WebhookRequest[] = [];
  const state = {
    faults: new FaultPlan(),
    refuse: undefined as WebhookReceiver["refuse"],
    limitBytes: Number.POSITIVE_INFINITY,
    onTaken: undefined as WebhookReceiver["onTaken"],
  };
  const server = createServer((request, response) => {
    answerWith(state.faults.take(), request, response, (raw) => {
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
      const seen = { headers: request.headers, path: request.url ?? "", raw, body };
      const status = raw.length > state.limitBytes ? 413 : state.refuse?.(seen);
      if (state.onTaken === undefined) attempts.push(seen);
      if (status === undefined && state.onTaken !== undefined) state.onTaken(seen);
      else if (status === undefined) requests.push(seen);
      return { status: status ?? 204, body: "" };
    }).catch(() => request.socket.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    requests,
    attempts,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

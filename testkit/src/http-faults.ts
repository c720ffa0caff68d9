import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** What a server does to a request in place of serving it, or (`slow`) before. */
export type HttpFault =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Answers late, as if nothing else was. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /** Takes the request and never answers. */
  | { readonly kind: "hangs" }
  /** Serves the request; the connection ends before the answer. */
  | { readonly kind: "silent" }
  /** Serves the request, and sends half of the answer. */
  | { readonly kind: "half" }
  /** Resets the connection at the head, without looking at the body. */
  | { readonly kind: "resets" }
  /** Answers something that is no HTTP. */
  | { readonly kind: "garbage" };

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Reads the request, asks `serve` unless the fault forbids it, and answers, or not, as the fault says. */
export async function answerWith(
  fault: HttpFault | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  serve: (body: Buffer) => HttpAnswer,
): Promise<HttpAnswer | undefined> {
  const { socket } = request;
  if (fault?.kind === "resets") return void socket.resetAndDestroy();
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = Buffer.concat(parts);
  if (fault?.kind === "hangs")
    return new Promise((resolve) => socket.once("close", () => resolve(undefined)));
  if (fault?.kind === "garbage") return void socket.end("SSH-2.0-OpenSSH_9.9\r\n\r\n");
  if (fault?.kind === "slow") await sleep(fault.delayMs);
  const answer =
    fault?.kind === "status"
      ? { status: fault.status, headers: fault.headers ?? {}, body: fault.body ?? "" }
      : serve(body);
  const length = Buffer.byteLength(answer.body);
  if (fault?.kind === "silent") socket.resetAndDestroy();
  else {
    response.writeHead(answer.status, { "content-length": length, ...answer.headers });
    if (fault?.kind !== "half") response.end(answer.body);
    else response.write(answer.body.slice(0, length / 2), () => socket.destroy());
  }
  return answer;
}

/** Faults for the requests to come: the next ones in their order, then one that stays until it is changed. */
export class FaultPlan {
  /** For requests for which none is planned. */
  always: HttpFault | undefined;
  /** Requests so far. */
  taken = 0;
  readonly #next: (HttpFault | undefined)[] = [];

  /** One each for the next requests; undefined: served as it should be. */
  plan(...faults: readonly (HttpFault | undefined)[]): void {
    this.#next.push(...faults);
  }

  /** Planned and not taken yet. */
  get left(): number {
    return this.#next.length;
  }

  clear(): void {
    this.#next.length = 0;
    this.always = undefined;
  }

  take(): HttpFault | undefined {
    this.taken++;
    return this.#next.length > 0 ? this.#next.shift() : this.always;
  }
}

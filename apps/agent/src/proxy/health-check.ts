import type { Part } from "@posthouse/service";
import { type BackendCall, BackendConnection } from "./backend/connection.ts";
import type { ResponseHead } from "./backend/response-head.ts";
import type { Upstream } from "./upstream.ts";

export interface HealthCheckOptions {
  readonly upstreams: readonly Upstream[];
  readonly path: string;
  readonly host: string;
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly onChange: (upstream: Upstream, healthy: boolean, why: string) => void;
}

/** Asks every upstream now and then; 200 to 399 is healthy. */
export function createHealthCheck(options: HealthCheckOptions): Part {
  const probes = new Map<Upstream, Probe>();
  let timer: NodeJS.Timeout | undefined;

  function check(): void {
    for (const upstream of options.upstreams) {
      if (probes.has(upstream)) continue;
      const probe = new Probe(options, upstream, (healthy, why) => {
        probes.delete(upstream);
        if (upstream.healthy !== healthy) options.onChange(upstream, healthy, why);
        upstream.healthy = healthy;
      });
      probes.set(upstream, probe);
      probe.start();
    }
  }

  return {
    name: "health check",
    async start() {
      if (timer !== undefined) return;
      check();
      timer = setInterval(check, options.everyMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      for (const probe of probes.values()) probe.cancel();
      probes.clear();
    },
  };
}

/**
 * One question. Always on a connection of its own, beside the pool: whether one can be made is part of the answer, and a
 * backend with much to do is not ill.
 */
class Probe implements BackendCall {
  readonly method = "GET";
  readonly #options: HealthCheckOptions;
  readonly #upstream: Upstream;
  readonly #done: (healthy: boolean, why: string) => void;
  #connection: BackendConnection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(
    options: HealthCheckOptions,
    upstream: Upstream,
    done: (healthy: boolean, why: string) => void,
  ) {
    this.#options = options;
    this.#upstream = upstream;
    this.#done = done;
  }

  start(): void {
    this.#timer = setTimeout(() => this.#end(false, "no answer in time"), this.#options.timeoutMs);
    const close = (connection: BackendConnection): void => connection.destroy();
    this.#connection = new BackendConnection(this.#upstream.address, close, () => {});
    this.#connection.begin(this);
  }

  cancel(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#connection?.destroy();
  }

  onConnected(): void {
    const { path, host } = this.#options;
    const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: posthouse\r\nConnection: close\r\n\r\n`;
    this.#connection?.sendHead(head, true);
  }

  onHead(head: ResponseHead): void {
    this.#judge(head);
  }

  onWhole(head: ResponseHead): void {
    this.#judge(head);
  }

  onFailed(error: Error): void {
    this.#connection = undefined;
    this.#end(false, error.message);
  }

  onUpgrade(): void {
    this.#end(false, "it switched protocols");
  }

  onInformational(): void {}
  onBody(): void {}
  onEnd(): void {}
  onDrain(): void {}

  #judge({ status }: ResponseHead): void {
    this.#end(status >= 200 && status < 400, `it answered ${status}`);
  }

  #end(healthy: boolean, why: string): void {
    if (this.#over) return;
    this.cancel();
    this.#done(healthy, why);
  }
}

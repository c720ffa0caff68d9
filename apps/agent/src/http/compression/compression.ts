import type { Metrics } from "../../core/metrics.ts";
import { type Exchange, headerValue } from "../exchange.ts";
import type { HostHandlers } from "../pipeline.ts";
import { type Encoding, preferredEncoding } from "./accept-encoding.ts";
import { CompressedExchange } from "./compressed-exchange.ts";

/** Compresses answers of the hosts that want it; one for the whole agent, since it bounds the whole. */
export interface Compression {
  /** The exchange to answer on. */
  wrap(exchange: Exchange): Exchange;
}

/** Counts what is under way. */
export interface CompressionSlots {
  /** False when as many as may run are running. */
  take(encoding: Encoding): boolean;
  release(): void;
}

/** Answers being compressed at once; one more is sent as it is. Each holds up to some 0.5 MB. */
const maxAtOnce = 128;

export function createCompression(metrics: Metrics): Compression {
  const answers = metrics.counter(
    "posthouse_compression_answers_total",
    'Answers that were compressed; with encoding="none" those that were not because too many were under way.',
    ["encoding"],
  );
  const tallies = { br: "br", zstd: "zstd", gzip: "gzip", none: "none" } as const;
  const counted = (name: keyof typeof tallies): void => void answers.with({ encoding: name }).value++;
  let running = 0;
  metrics.gauge("posthouse_compression_running", "Answers being compressed now.", [], (report) =>
    report({}, running),
  );
  const slots: CompressionSlots = {
    take(encoding) {
      const free = running < maxAtOnce;
      if (free) running++;
      counted(free ? encoding : "none");
      return free;
    },
    release() {
      running--;
    },
  };
  return {
    wrap(exchange) {
      // An upgrade's answer is written as it is, and a client of HTTP/1.0 may not know what Vary is for.
      if (exchange.upgrade !== undefined || exchange.httpVersion === "1.0") return exchange;
      return new CompressedExchange(exchange, acceptedEncoding(exchange), slots);
    },
  };
}

/** The same handlers, whose answers are compressed. */
export function compressAnswers({ rules, proxy }: HostHandlers, { wrap }: Compression): HostHandlers {
  return {
    rules: rules && {
      handle: (exchange, host, uri) => rules.handle(wrap(exchange), host, uri),
      explain: (host, uri) => rules.explain(host, uri),
    },
    proxy: proxy && { handle: (exchange, host) => proxy.handle(wrap(exchange), host) },
  };
}

function acceptedEncoding(exchange: Exchange): Encoding | undefined {
  const accepted = headerValue(exchange, "accept-encoding");
  if (accepted === undefined || exchange.method === "HEAD") return undefined;
  const cacheControl = headerValue(exchange, "cache-control");
  if (cacheControl !== undefined && /(?:^|[\s,])no-transform(?:$|[\s,])/i.test(cacheControl))
    return undefined;
  return preferredEncoding(accepted);
}

/**
 * Explains answers where they are asked for: a request with `Posthouse-Explain: <admin token>` gets the header
 * `Posthouse-Explain` with its answer, which says as JSON what answered and what nearly did. Explaining reads every
 * rule, so one a second is explained, for all who ask; with any other token the header is as good as not there.
 */
import type { Secret } from "@posthouse/service";
import { isSameSecret } from "../core/token.ts";
import { type Exchange, headerValue } from "./exchange.ts";

/** What a handler has to say of a request. `near` may be long; it is cut to what fits into a header. */
export interface ExplainedRequest {
  readonly near?: readonly object[];
  readonly [key: string]: unknown;
}

export interface ExplainHeader {
  /** Adds the header to the answer to come, when the request asks for it. */
  add(exchange: Exchange, explain: () => ExplainedRequest): void;
}

const name = "posthouse-explain";
const everyMs = 1000;
const largestHeader = 4000;

export function createExplainHeader(
  token: Secret,
  clock: () => number = () => performance.now(),
): ExplainHeader {
  let freeAt = Number.NEGATIVE_INFINITY;
  return {
    add(exchange, explain) {
      const given = headerValue(exchange, name);
      if (given === undefined || !isSameSecret(given, token)) return;
      exchange.addHeader("Cache-Control", "no-store");
      if (clock() < freeAt) {
        exchange.addHeader("Posthouse-Explain", '{"busy":"one request a second is explained"}');
        return;
      }
      try {
        exchange.addHeader("Posthouse-Explain", formatExplanation(explain()));
      } finally {
        freeAt = clock() + everyMs;
      }
    },
  };
}

/** JSON in ASCII, with as many of the near ones as fit. */
function formatExplanation({ near = [], ...rest }: ExplainedRequest): string {
  const shown = [...near];
  for (;;) {
    const more = near.length - shown.length;
    const text = toAscii(JSON.stringify({ ...rest, near: shown, ...(more > 0 && { more }) }));
    if (text.length <= largestHeader || shown.length === 0) return text.slice(0, largestHeader * 2);
    shown.pop();
  }
}

function toAscii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Explains answers where they are asked for: a request with `Posthouse-Explain: <admin token>` gets the header
 * `Posthouse-Explain` with its answer, which says as JSON what answered and what nearly did. Explaining reads every
 * rule, so one request at a time is explained, and one a second, for all who ask. With any other token the header is as
 * good as not there.
 */
import type { Log, Secret } from "@posthouse/service";
import { isSameSecret } from "../core/token.ts";
import { answerText, type Exchange, headerValue } from "./exchange.ts";

/** What a handler has to say of a request. `near` may be long; it is cut to what fits into a header. */
export interface ExplainedRequest {
  readonly near?: readonly object[];
  readonly [key: string]: unknown;
}

export interface ExplainHeader {
  isAsked(exchange: Exchange): boolean;
  /** Adds the header, then answers: at once when another request is explained. */
  explain(exchange: Exchange, explain: () => Promise<ExplainedRequest>, answer: () => void): void;
}

export interface ExplainHeaderOptions {
  readonly token: Secret;
  readonly log: Log;
  /** Milliseconds from any origin. Default `performance.now`. */
  readonly clock?: () => number;
}

const name = "posthouse-explain";
const everyMs = 1000;
const largestHeader = 4000;

export function createExplainHeader(options: ExplainHeaderOptions): ExplainHeader {
  const { token, log, clock = () => performance.now() } = options;
  let isExplaining = false;
  let freeAt = Number.NEGATIVE_INFINITY;

  async function explainFirst(
    exchange: Exchange,
    explain: () => Promise<ExplainedRequest>,
    answer: () => void,
  ): Promise<void> {
    isExplaining = true;
    try {
      exchange.addHeader("Posthouse-Explain", formatExplanation(await explain()));
      if (!exchange.aborted) answer();
    } catch (error) {
      log.error({ error, target: exchange.target }, "could not explain a request");
      if (!exchange.aborted) answerText(exchange, 500, "internal error\n");
    } finally {
      isExplaining = false;
      freeAt = clock() + everyMs;
    }
  }

  return {
    isAsked(exchange) {
      const given = headerValue(exchange, name);
      return given !== undefined && isSameSecret(given, token);
    },
    explain(exchange, explain, answer) {
      exchange.addHeader("Cache-Control", "no-store");
      if (!isExplaining && clock() >= freeAt) {
        void explainFirst(exchange, explain, answer);
        return;
      }
      exchange.addHeader("Posthouse-Explain", '{"busy":"one request a second is explained"}');
      answer();
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

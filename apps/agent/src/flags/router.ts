/** Where a request to the flags listener goes. Paths match in any case, and with a slash at their end. */
import type { Log } from "@posthouse/service";
import type { Exchange, ExchangeHandler } from "../http/exchange.ts";
import { BodyRefused } from "../http/json-body.ts";
import { answerProblem } from "./answers.ts";
import { allowAnyOrigin } from "./cors.ts";

/** Answers the exchange. What it throws is answered here. Names of the query are in lower case. */
export type Route = (exchange: Exchange, query: ReadonlyMap<string, string>) => void | Promise<void>;

export interface RouterOptions {
  /** By path in lower case, then by method. */
  readonly routes: Readonly<Record<string, Readonly<Record<string, Route>>>>;
  /** Takes upgrades of `/streaming` and below. */
  readonly stream: (exchange: Exchange, query: ReadonlyMap<string, string>) => void;
  readonly log: Log;
}

export function createRouter({ routes, stream, log }: RouterOptions): ExchangeHandler {
  const table = new Map(Object.entries(routes));

  async function run(route: Route, exchange: Exchange, query: ReadonlyMap<string, string>): Promise<void> {
    try {
      await route(exchange, query);
    } catch (error) {
      if (exchange.aborted) return;
      if (error instanceof BodyRefused) answerProblem(exchange, error.status, error.message);
      else {
        log.error({ error, path: pathOf(exchange.target) }, "could not answer a request");
        answerProblem(exchange, 500);
      }
    }
  }

  return {
    handle(exchange) {
      const path = pathOf(exchange.target);
      if (exchange.upgrade !== undefined && /^\/streaming(\/|$)/.test(path)) {
        stream(exchange, queryOf(exchange.target));
        return;
      }
      if (allowAnyOrigin(exchange)) return;
      const methods = table.get(path);
      if (methods === undefined) return answerProblem(exchange, 404);
      const route = methods[exchange.method === "HEAD" ? "GET" : exchange.method];
      if (route === undefined) {
        answerProblem(exchange, 405, undefined, ["Allow", Object.keys(methods).join(", ")]);
        return;
      }
      void run(route, exchange, queryOf(exchange.target));
    },
  };
}

/**
 * In lower case. FeatBit's back-end joins paths to an address that may end with a slash: `//health` is `/health`. A slash
 * at the end means nothing.
 */
function pathOf(target: string): string {
  const [path = ""] = target.split("?", 1);
  return path
    .replace(/^https?:\/\/[^/]*/i, "")
    .replace(/^\/+/, "/")
    .replace(/(?<!^)\/$/, "")
    .toLowerCase();
}

/** Of a name that stands there twice the first. */
function queryOf(target: string): ReadonlyMap<string, string> {
  const start = target.indexOf("?");
  const query = new Map<string, string>();
  if (start < 0) return query;
  for (const [name, value] of new URLSearchParams(target.slice(start + 1))) {
    if (!query.has(name.toLowerCase())) query.set(name.toLowerCase(), value);
  }
  return query;
}

/**
 * The admin address: health for balancers and orchestrators, metrics for Prometheus, status for people, and what a job
 * adds to control it. Health is open; status, hits and metrics ask for the token when one is configured; to change
 * something there must be one.
 */
import { durationSchema, type Log, type Secret } from "@posthouse/service";
import { isFresh, isReady, type JobHealth } from "../core/health.ts";
import type { Metrics } from "../core/metrics.ts";
import { answerText, type Exchange, type ExchangeHandler } from "../http/exchange.ts";
import { isAllowed } from "./access.ts";
import { refuseControl, refuseForeign } from "./guard.ts";
import { type HitsQuery, hitsQuerySchema } from "./hits-query.ts";

/** What a job adds under a path of its own. */
export interface AdminArea {
  /** Such as `/events/`. */
  readonly path: string;
  /** Below the path; for anybody, since nothing in it is told of the agent. */
  isOpen(path: string): boolean;
  /** Takes what the guard let through; `path` is below its own. */
  handle(exchange: Exchange, path: string, query: URLSearchParams): void;
}

export interface AdminOptions {
  readonly token: Secret | undefined;
  /** Names under which areas may be used, beside IP addresses and localhost. */
  readonly hosts: readonly string[];
  readonly areas: readonly AdminArea[];
  readonly jobs: readonly JobHealth[];
  readonly metrics: Metrics;
  readonly status: () => unknown;
  /** The rules of a project with their hits; undefined when there is no such project. */
  readonly hits: (project: string, query: HitsQuery) => Promise<object> | undefined;
  /** Answers with the insights that are kept, those after a position; undefined where there are no flags. */
  readonly insights: ((exchange: Exchange, after: number) => void) | undefined;
  /** True from the moment on at which the agent stops. */
  readonly stopping: () => boolean;
  readonly log: Log;
}

const defaultFreshMax = "10m";
type Route = (exchange: Exchange, query: URLSearchParams) => void;

/** Makes the handler of the admin address. */
export function createAdminHandler(options: AdminOptions): ExchangeHandler {
  const { token, jobs, areas, metrics, log } = options;

  const withToken =
    (route: Route): Route =>
    (exchange, query) => {
      if (isAllowed(exchange, token)) return route(exchange, query);
      answerText(exchange, 401, "a token is needed: Authorization: Bearer TOKEN\n", [
        "WWW-Authenticate",
        "Bearer",
      ]);
    };

  function ready(exchange: Exchange, query: URLSearchParams): void {
    const job = query.get("job") ?? undefined;
    const answer = options.stopping()
      ? { ok: false, body: { ready: false, reasons: { agent: "stopping" } } }
      : isReady(jobs, job);
    if (answer) {
      answerJson(exchange, answer.ok ? 200 : 503, answer.body);
    } else {
      const known = jobs.map((one) => one.job).join(", ") || "none";
      answerJson(exchange, 404, { code: "UNKNOWN_JOB", message: `no job "${job}" is on; on are: ${known}` });
    }
  }

  function fresh(exchange: Exchange, query: URLSearchParams): void {
    const maxMs = durationSchema.safeParse(query.get("max") ?? defaultFreshMax);
    if (maxMs.success) {
      const answer = isFresh(jobs, maxMs.data, Date.now());
      answerJson(exchange, answer.ok ? 200 : 503, answer.body);
    } else {
      answerJson(exchange, 400, { code: "INVALID_MAX", message: 'max is a duration such as "5m"' });
    }
  }

  /** Answers with what comes later; a failure is logged, and answered with 500. */
  function answerLater<T>(exchange: Exchange, value: Promise<T>, answer: (value: T) => void): void {
    value.then(
      (ready) => {
        if (!exchange.aborted) answer(ready);
      },
      (error: unknown) => {
        log.error({ error, target: exchange.target }, "could not answer a request");
        if (!exchange.aborted) answerText(exchange, 500, "internal error\n");
      },
    );
  }

  function scrape(exchange: Exchange): void {
    answerLater(exchange, metrics.text(), (text) =>
      exchange.answer(200, ["Content-Type", metrics.contentType], text),
    );
  }

  function hits(exchange: Exchange, query: URLSearchParams): void {
    const asked = hitsQuerySchema.safeParse(Object.fromEntries(query));
    if (!asked.success) {
      const issues = asked.error.issues.map(
        ({ path, message }) => `${path.join(".") || "query"}: ${message}`,
      );
      answerJson(exchange, 400, { code: "INVALID_QUERY", message: issues.join("; ") });
      return;
    }
    const { project } = asked.data;
    const list = options.hits(project, asked.data);
    if (list) answerLater(exchange, list, (value) => answerJson(exchange, 200, { project, ...value }));
    else answerJson(exchange, 404, { code: "UNKNOWN_PROJECT", message: `no project "${project}"` });
  }

  function insights(exchange: Exchange, query: URLSearchParams): void {
    const after = query.get("after") ?? "0";
    if (options.insights === undefined) answerText(exchange, 404, "no flags are configured\n");
    else if (/^\d{1,15}$/.test(after)) options.insights(exchange, Number(after));
    else answerJson(exchange, 400, { code: "INVALID_QUERY", message: "after is the position of an event" });
  }

  const routes = new Map<string, Route>([
    ["/health/live", (exchange) => answerJson(exchange, 200, { live: true })],
    ["/health/ready", ready],
    ["/health/fresh", fresh],
    ["/metrics", withToken(scrape)],
    ["/hits", withToken(hits)],
    ["/flags/insights", withToken(insights)],
    ["/status", withToken((exchange) => answerJson(exchange, 200, options.status()))],
  ]);

  function enter(area: AdminArea, exchange: Exchange, path: string, query: URLSearchParams): void {
    const below = path.slice(area.path.length);
    const refused = area.isOpen(below)
      ? refuseForeign(exchange, options.hosts)
      : refuseControl(exchange, options);
    if (refused === undefined) {
      area.handle(exchange, below, query);
    } else {
      const { status, ...body } = refused;
      answerJson(exchange, status, body, status === 401 ? ["WWW-Authenticate", "Bearer"] : []);
    }
  }

  return {
    handle(exchange) {
      const [path = "", query = ""] = exchange.target.split("?", 2);
      const area = areas.find((each) => path.startsWith(each.path) || `${path}/` === each.path);
      if (area !== undefined && path.length < area.path.length)
        return exchange.answer(308, ["Location", area.path], "");
      if (area !== undefined) return enter(area, exchange, path, new URLSearchParams(query));
      const route = routes.get(path);
      const known = [...routes.keys(), ...areas.map((each) => each.path)];
      if (!route) return answerText(exchange, 404, `here are ${known.join(", ")}\n`);
      if (exchange.method !== "GET" && exchange.method !== "HEAD") {
        return answerText(exchange, 405, "only GET and HEAD\n", ["Allow", "GET, HEAD"]);
      }
      route(exchange, new URLSearchParams(query));
    },
  };
}

function answerJson(exchange: Exchange, status: number, value: unknown, more: readonly string[] = []): void {
  const headers = [...more, "Content-Type", "application/json", "Cache-Control", "no-store"];
  exchange.answer(status, headers, `${JSON.stringify(value)}\n`);
}

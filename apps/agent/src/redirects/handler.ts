/** The redirects job in the request path: a project's redirects, then its pages. */
import { type AnswerRequest, formatAnswer, type Match, type RuleSet } from "@posthouse/rules";
import type { Tallies, Tally } from "../core/metrics.ts";
import { answerText, type Exchange, headerValue } from "../http/exchange.ts";
import type { ProjectHandler } from "../http/pipeline.ts";
import { explainRequest } from "./explain.ts";
import { addFlectoDebug, addFlectoRedirect } from "./flecto-debug.ts";
import type { Hits } from "./hits.ts";

export interface RedirectHandlerOptions {
  readonly project: string;
  /** Where the rules of the moment are. */
  readonly source: { readonly ruleSet: RuleSet | undefined; readonly status: { readonly version: number } };
  readonly compat: "flecto" | undefined;
  /** Whether Flecto's debug headers are added. */
  readonly debug: boolean;
  readonly hits: Hits;
  /** With the labels `project` and `result`. */
  readonly requests: Tallies;
}

/** Answers what a rule matches. Without any rules yet it answers 503, so that a balancer asks another agent. */
export function createRedirectHandler(options: RedirectHandlerOptions): ProjectHandler {
  const { project, source, compat, debug, hits } = options;
  const formatOptions = compat ? { compat } : undefined;
  const tally = (result: string): Tally => options.requests.with({ project, result });
  const results = {
    301: tally("301"),
    302: tally("302"),
    307: tally("307"),
    308: tally("308"),
    200: tally("page"),
  };
  const misses = tally("none");
  const unready = tally("unready");

  function answer(exchange: Exchange, match: Match, host: string, uri: string): void {
    const { method } = exchange;
    const request: AnswerRequest =
      match.kind === "page" && compat === undefined
        ? { method, host, uri, ifNoneMatch: headerValue(exchange, "if-none-match") }
        : { method, host, uri };
    const { status, headers, body } = formatAnswer(match, request, formatOptions);
    const flat: string[] = [];
    for (const [name, value] of headers) flat.push(name, value);
    // A page's HEAD gets the length of the page.
    exchange.answer(status, flat, match.kind === "page" && status === 200 ? match.content : body);
  }

  return {
    handle(exchange, host, uri) {
      const { ruleSet } = source;
      if (exchange.record !== undefined) exchange.record.project = project;
      if (debug) addFlectoDebug(exchange, source.status.version, host, uri);
      if (ruleSet === undefined) {
        unready.value++;
        // Flecto's middleware passes on what it has no rules for yet.
        if (compat === "flecto") return false;
        answerText(exchange, 503, "no rules yet\n", ["Retry-After", "5"]);
        return true;
      }
      const match = ruleSet.match(host, uri);
      if (match === undefined) {
        misses.value++;
        return false;
      }
      results[match.status].value++;
      hits.count(ruleSet, match.item.id);
      if (exchange.record !== undefined) exchange.record.rule = match.item.id;
      if (debug) addFlectoRedirect(exchange, match);
      answer(exchange, match, host, uri);
      return true;
    },
    async explain(host, uri) {
      const { ruleSet, status } = source;
      const about = { project, version: status.version };
      if (ruleSet === undefined) return { ...about, reason: "no rules yet" };
      return { ...about, ...(await explainRequest(ruleSet, host, uri)) };
    },
  };
}

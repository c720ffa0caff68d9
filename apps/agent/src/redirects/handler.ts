/** The redirects job in the request path: a project's redirects, then its pages. */
import { formatAnswer, type RuleSet } from "@posthouse/rules";
import type { Tallies, Tally } from "../core/metrics.ts";
import { answerText } from "../http/exchange.ts";
import type { ProjectHandler } from "../http/pipeline.ts";

export interface RedirectHandlerOptions {
  readonly project: string;
  /** Where the rules of the moment are. */
  readonly source: { readonly ruleSet: RuleSet | undefined };
  readonly compat: "flecto" | undefined;
  /** With the labels `project` and `result`. */
  readonly requests: Tallies;
}

/** Answers what a rule matches. Without any rules yet it answers 503, so that a balancer asks another agent. */
export function createRedirectHandler(options: RedirectHandlerOptions): ProjectHandler {
  const { project, source, compat } = options;
  const formatOptions = compat ? { compat } : undefined;
  const tally = (result: string): Tally => options.requests.with({ project, result });
  const hits = {
    301: tally("301"),
    302: tally("302"),
    307: tally("307"),
    308: tally("308"),
    200: tally("page"),
  };
  const misses = tally("none");
  const unready = tally("unready");

  return {
    handle(exchange, host, uri) {
      const { ruleSet } = source;
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
      hits[match.status].value++;
      const answer = formatAnswer(match, { method: exchange.method, host, uri }, formatOptions);
      const headers: string[] = [];
      for (const [name, value] of answer.headers) headers.push(name, value);
      exchange.answer(answer.status, headers, match.kind === "page" ? match.content : answer.body);
      return true;
    },
  };
}

/**
 * What the adapters share. Each of them reads a request the way its server has it, asks here for the answer, and writes
 * it or calls what comes next. A request without an answer is not touched.
 */
import { type Answer, compatOf, formatAnswer, type RuleSet, requestUri } from "@posthouse/rules";

/** Where the rules of the moment are: a client, or anything else that holds a compiled rule set. */
export interface RuleSource {
  readonly ruleSet: RuleSet | undefined;
}

export interface AdapterOptions {
  /**
   * Called with what went wrong while an answer was sought or formed; that request went on to the next handler.
   * Default: the first one is printed by `console.warn`.
   */
  readonly onError?: (error: unknown) => void;
}

/**
 * The answer for a request, or undefined when the next handler should have it: nothing matches, the target is none that
 * a rule could answer, or no rules are loaded yet. `target` is the request target as it was received, one character per
 * byte; `host` and `ifNoneMatch` are headers as they were received.
 */
export type FindAnswer = (
  method: string,
  target: string,
  host: string,
  ifNoneMatch: string | undefined,
) => Answer | undefined;

/**
 * Makes a function of what an adapter does with a request. What that throws is reported, and counts as undefined:
 * nothing that fails here reaches the server.
 */
export function createAdapter<Given extends unknown[], Result>(
  source: RuleSource,
  options: AdapterOptions,
  handle: (find: FindAnswer, ...given: Given) => Result | undefined,
): (...given: Given) => Result | undefined {
  const report = options.onError ?? createFirstWarning();
  const find: FindAnswer = (...request) => {
    const { ruleSet } = source;
    return ruleSet && findAnswer(ruleSet, ...request);
  };
  return (...given) => {
    try {
      return handle(find, ...given);
    } catch (error) {
      try {
        report(error);
      } catch (failure) {
        console.warn("onError of an adapter of @posthouse/client failed:", failure);
      }
      return undefined;
    }
  };
}

function findAnswer(
  ruleSet: RuleSet,
  ...[method, target, hostHeader, ifNoneMatch]: Parameters<FindAnswer>
): Answer | undefined {
  const parsed = requestUri(target);
  if (parsed === undefined) return undefined;
  const { uri, host = hostHeader } = parsed;
  const match = ruleSet.match(host, uri);
  if (match === undefined) return undefined;
  const answer = formatAnswer(match, { method, host, uri, ifNoneMatch }, { compat: compatOf(ruleSet) });
  if (match.kind !== "page" || method !== "HEAD" || answer.status === 304) return answer;
  const length = String(new TextEncoder().encode(match.content).length);
  return { ...answer, headers: [...answer.headers, ["Content-Length", length]] };
}

function createFirstWarning(): (error: unknown) => void {
  let isFirst = true;
  return (error) => {
    if (isFirst) console.warn("An adapter of @posthouse/client failed; requests go on unanswered:", error);
    isFirst = false;
  };
}

import type { Item } from "@posthouse/protocol";
import { explain, formatAnswer, type NearReason, type RuleSet } from "@posthouse/rules";
import { type AskedRequest, readAskedRequest } from "./asked-request.ts";

/** All that `explain` found out; what `--json` prints. */
export interface ExplainedRequest {
  readonly request: AskedRequest;
  /** The listener whose site takes the host. */
  readonly site?: string | undefined;
  readonly project?: string | undefined;
  /** Undefined when no site takes the host. */
  readonly rules?: ExplainedRules;
  readonly answer: ExplainedAnswer | null;
  /** Rules that did not answer, but nearly did. */
  readonly near: readonly ExplainedNear[];
  /** What the rules say of the Location, when it is on the same host. */
  readonly redirected?: string | undefined;
  /** Hosts that sites take, where none took this one. */
  readonly hosts: readonly string[];
}

export interface ExplainedRules {
  readonly from: string;
  readonly version?: number | undefined;
  readonly compat?: "flecto" | undefined;
  readonly redirects: number;
  readonly pages: number;
  readonly leftOut: number;
}

export interface ExplainedAnswer {
  readonly status: number;
  readonly location?: string | undefined;
  readonly contentType?: string | undefined;
  readonly bytes?: number | undefined;
  readonly item: Item;
  /** `file:line` of its rule file. */
  readonly place?: string | undefined;
}

export interface ExplainedNear {
  readonly item: Item;
  readonly reasons: readonly NearReason[];
  readonly message: string;
  readonly place?: string | undefined;
}

export interface ProjectRules {
  readonly ruleSet: RuleSet;
  /** Where they come from, for people. */
  readonly from: string;
  readonly version?: number | undefined;
  readonly compat: "flecto" | undefined;
  placeOf?(item: number): string | undefined;
}

/** Asks the rules of one project. */
export function explainRequest(
  request: AskedRequest,
  { ruleSet, from, version, compat, placeOf }: ProjectRules,
): Pick<ExplainedRequest, "request" | "rules" | "answer" | "near" | "redirected" | "hosts"> {
  const { near } = explain(ruleSet, request);
  const answer = answerOf(request, ruleSet, compat);
  return {
    request,
    rules: {
      from,
      version,
      compat,
      redirects: ruleSet.redirects,
      pages: ruleSet.pages,
      leftOut: ruleSet.problems.filter(({ severity }) => severity === "error").length,
    },
    answer: answer === null ? null : { ...answer, place: placeOf?.(answer.item.id) },
    near: near.map(({ item, reasons, message }) => ({ item, reasons, message, place: placeOf?.(item.id) })),
    redirected:
      answer?.location === undefined ? undefined : follow(request, answer.location, ruleSet, compat),
    hosts: [],
  };
}

function answerOf(
  request: AskedRequest,
  ruleSet: RuleSet,
  compat: "flecto" | undefined,
): ExplainedAnswer | null {
  const match = ruleSet.match(request.host, request.uri);
  if (match === undefined) return null;
  const { status, headers } = formatAnswer(match, request, { compat });
  const header = (wanted: string): string | undefined => headers.find(([name]) => name === wanted)?.[1];
  if (match.kind === "redirect") return { status, location: header("Location"), item: match.item };
  const bytes = Buffer.byteLength(match.content);
  return { status, contentType: header("Content-Type"), bytes, item: match.item };
}

const longestChain = 10;

/** Where the browser ends when it follows: a chain, or a loop, is worth a word. */
function follow(
  request: AskedRequest,
  location: string,
  ruleSet: RuleSet,
  compat: "flecto" | undefined,
): string | undefined {
  const seen = new Set([request.uri]);
  const chain: string[] = [];
  for (let next = location; chain.length < longestChain; ) {
    const asked = sameSite(request, next);
    const answer = asked === undefined ? null : answerOf(asked, ruleSet, compat);
    if (asked === undefined || answer === null) break;
    if (seen.has(asked.uri)) return `${[...chain, next].join(", then ")}: a loop, which browsers give up on`;
    seen.add(asked.uri);
    chain.push(
      `${asked.uri} answers ${answer.status}${answer.location === undefined ? "" : ` ${answer.location}`}`,
    );
    if (answer.location === undefined) break;
    next = answer.location;
  }
  return chain.length === 0 ? undefined : chain.join(", then ");
}

function sameSite(request: AskedRequest, location: string): AskedRequest | undefined {
  const isPath = location.startsWith("/") && !location.startsWith("//");
  if (!isPath && !/^https?:\/\//i.test(location)) return undefined;
  try {
    const asked = readAskedRequest(location, { method: "GET", host: isPath ? request.host : undefined });
    return asked.host.toLowerCase() === request.host.toLowerCase() ? asked : undefined;
  } catch {
    return undefined;
  }
}

import { type Redirect, redirectStatuses, redirectTypes } from "@posthouse/protocol";
import type { Pattern } from "./pattern/pattern-parser.ts";
import { adviseOnPattern, examinePattern } from "./pattern-check.ts";
import { createProblem, type Problem } from "./problem.ts";
import { findSiteEscape } from "./site-escape.ts";
import { readUrlReference } from "./url-reference.ts";

const longestSource = 600;
const longestTarget = 2048;

/**
 * Everything that is wrong or doubtful with a redirect, in the order of its fields. A Manager refuses a redirect with
 * an `error`. A RuleSet serves what it can, as Flecto's agents do, and leaves out only what cannot be matched at all.
 */
export function checkRedirect(redirect: Redirect): Problem[] {
  return checkRedirectWithin(redirect, undefined);
}

/** The same with another bound on the program of a pattern. */
export function checkRedirectWithin(redirect: Redirect, patternSize: number | undefined): Problem[] {
  const { problems, pattern } = examineRedirect(redirect, patternSize);
  if (pattern !== undefined) {
    adviseOnPattern(redirect, pattern, problems);
    const example = findSiteEscape(redirect, pattern);
    if (example !== undefined) {
      const position = redirect.target.indexOf("$");
      problems.push(
        createProblem("TARGET_MAY_LEAVE_SITE", { field: "target", position, values: { example } }),
      );
    }
  }
  return problems;
}

/** What decides whether a redirect can be served, without advice; and its pattern. */
export function examineRedirect(
  redirect: Redirect,
  patternSize?: number,
): { readonly problems: Problem[]; readonly pattern: Pattern | undefined } {
  const problems: Problem[] = [];
  const { type, source, status } = redirect;
  if (!redirectTypes.includes(type)) {
    problems.push(
      createProblem("TYPE_UNKNOWN", {
        field: "type",
        position: 0,
        values: { type, known: redirectTypes.join(", ") },
      }),
    );
  }
  if (source.length > longestSource) {
    const values = { limit: longestSource };
    problems.push(createProblem("SOURCE_TOO_LONG", { field: "source", position: longestSource, values }));
  }
  if (type === "BASIC" && !plainPath.test(source)) checkPathSource(source, problems);
  if (type === "BASIC_HOST" && !plainHostPath.test(source)) checkHostSource(source, problems);
  if (type === "REGEX_HOST") checkNoScheme(source, problems);
  const isPattern = type === "REGEX" || type === "REGEX_HOST";
  const pattern = isPattern ? examinePattern(redirect, problems, patternSize) : undefined;
  checkTarget(redirect, problems);
  if (!Object.hasOwn(redirectStatuses, status)) {
    problems.push(createProblem("STATUS_UNKNOWN", { field: "status", position: 0, values: { status } }));
  }
  return { problems, pattern };
}

/** Sources with nothing to find fault with: nearly all. */
const plainPath = /^\/[A-Za-z0-9\-._~!$&'()*+,;=@/]*(?:\?[\x21\x22\x24-\x7e]*)?$/;
const plainHostPath =
  /^[A-Za-z0-9.-]+(?::[0-9]+)?\/[A-Za-z0-9\-._~!$&'()*+,;=@/]*(?:\?[\x21\x22\x24-\x7e]*)?$/;

function checkPathSource(source: string, problems: Problem[]): void {
  if (source === "") {
    problems.push(createProblem("SOURCE_EMPTY", { field: "source", position: 0 }));
  } else if (!source.startsWith("/")) {
    problems.push(createProblem("SOURCE_NOT_ROOTED", { field: "source", position: 0 }));
  } else {
    const read = readUrlReference(source);
    if ("reason" in read) problems.push(invalidSource(read.reason, read.position));
  }
}

function checkHostSource(source: string, problems: Problem[]): void {
  if (source === "") {
    problems.push(createProblem("SOURCE_EMPTY", { field: "source", position: 0 }));
    return;
  }
  if (!checkNoScheme(source, problems)) return;
  if (source.startsWith("//")) {
    problems.push(createProblem("SOURCE_STARTS_WITH_SLASHES", { field: "source", position: 0 }));
    return;
  }
  const read = readUrlReference(`//${source}`);
  if ("reason" in read) problems.push(invalidSource(read.reason, Math.max(read.position - 2, 0)));
  else if (read.host === "")
    problems.push(createProblem("SOURCE_WITHOUT_HOST", { field: "source", position: 0 }));
  else if (read.path === "") {
    problems.push(createProblem("SOURCE_WITHOUT_PATH", { field: "source", position: read.host.length }));
  }
}

/** `://` in a query is text like any other. */
function checkNoScheme(source: string, problems: Problem[]): boolean {
  const position = (source.split("?", 1)[0] ?? "").indexOf("://");
  if (position < 0) return true;
  problems.push(createProblem("SOURCE_HAS_SCHEME", { field: "source", position }));
  return false;
}

function checkTarget({ type, target }: Redirect, problems: Problem[]): void {
  if (target === "") problems.push(createProblem("TARGET_EMPTY", { field: "target", position: 0 }));
  else if ((type === "BASIC_HOST" || type === "REGEX_HOST") && !/^(https?:)?\/\//i.test(target)) {
    problems.push(createProblem("TARGET_WITHOUT_SCHEME", { field: "target", position: 0 }));
  }
  if (target.length > longestTarget) {
    problems.push(
      createProblem("TARGET_TOO_LONG", {
        field: "target",
        position: longestTarget,
        values: { limit: longestTarget },
      }),
    );
  }
  if (!target.startsWith("http") && /^\s*(javascript|vbscript|data):/i.test(target)) {
    problems.push(createProblem("TARGET_IS_SCRIPT", { field: "target", position: 0 }));
  }
}

function invalidSource(reason: string, position: number): Problem {
  return createProblem("SOURCE_INVALID", { field: "source", position, values: { reason } });
}

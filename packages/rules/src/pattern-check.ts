import type { Redirect } from "@posthouse/protocol";
import { RE2JS } from "re2js";
import { isLinearForBacktracking } from "./pattern/backtracking.ts";
import { PatternSyntaxError } from "./pattern/cursor.ts";
import { type Pattern, parsePattern } from "./pattern/pattern-parser.ts";
import { findFlectoPrefix, findPrefix } from "./pattern/prefix.ts";
import { estimateProgramSize } from "./pattern/program-size.ts";
import { createProblem, type Problem } from "./problem.ts";

const largestProgram = 250;
const hopelessProgram = 5000;

/** Reads a rule's pattern; `undefined` when it cannot be served, with the reason added to `problems`. */
export function examinePattern(
  redirect: Redirect,
  problems: Problem[],
  limit: number = largestProgram,
): Pattern | undefined {
  const { source } = redirect;
  try {
    const pattern = parsePattern(source);
    if (isLinearForBacktracking(pattern.root)) return pattern;
    const estimate = estimateProgramSize(pattern.root);
    const size = estimate > hopelessProgram ? estimate : RE2JS.compile(pattern.unnamed).programSize();
    if (size <= limit) return pattern;
    problems.push(
      createProblem("PATTERN_TOO_COSTLY", { field: "source", position: 0, values: { size, limit } }),
    );
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.push(
      createProblem("PATTERN_INVALID", {
        field: "source",
        values: { reason },
        ...(error instanceof PatternSyntaxError ? { position: error.position } : {}),
      }),
    );
  }
  return undefined;
}

/** Adds what is doubtful with a pattern that can be served. */
export function adviseOnPattern(redirect: Redirect, pattern: Pattern, problems: Problem[]): void {
  const { type, source, target } = redirect;
  const prefix = findPrefix(pattern.root);
  const warn = (
    code: Parameters<typeof createProblem>[0],
    field: string,
    values: Record<string, string | number>,
    position = 0,
  ): void => void problems.push(createProblem(code, { field, position, values }));
  if (/^\^?(\.\*)?\$?$/.test(source) && source !== "^$" && source !== "$")
    warn("PATTERN_MATCHES_ALL", "source", {});
  if (type === "REGEX" && prefix !== "" && !prefix.startsWith("/")) {
    warn("PATTERN_NEVER_MATCHES", "source", { reason: `requests start with /, not with ${prefix}` });
  }
  if (type === "REGEX_HOST" && prefix.startsWith("/")) {
    warn("PATTERN_NEVER_MATCHES", "source", { reason: "it is compared with the host first, not with /" });
  }
  const flecto = readFlectoPrefix(source);
  if (flecto.found !== flecto.sound) warn("PATTERN_MISSED_BY_FLECTO", "source", { prefix: flecto.found });
  for (const { 0: placeholder, 1: digit, index } of target.matchAll(/\$([0-9])/g)) {
    if (digit === "0" || Number(digit) > pattern.groups) {
      warn("GROUP_MISSING", "target", { placeholder, groups: pattern.groups }, index);
    }
  }
}

/** The prefix under which Flecto's agents keep a pattern, and how much of it every match really begins with. */
export function readFlectoPrefix(source: string): { readonly found: string; readonly sound: string } {
  try {
    const { root } = parsePattern(source.startsWith("^") ? source.slice(1) : source);
    const found = findFlectoPrefix(root);
    return { found, sound: found === "" ? "" : findPrefix(root) };
  } catch {
    return { found: "", sound: "" };
  }
}

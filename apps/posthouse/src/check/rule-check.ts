import { setImmediate } from "node:timers/promises";
import { checkPage, checkRedirect, type Problem } from "@posthouse/rules";
import type { Place } from "../located-yaml.ts";
import { type ReadRules, readRuleFile } from "../rule-file/rule-file.ts";

/** What is wrong or doubtful with one entry of a rule file. */
export interface FoundProblem extends Pick<Problem, "severity" | "code" | "message" | "field" | "hint"> {
  /** Found when asked for: it takes a second look at the file. */
  readonly place: Place;
}

export interface RuleCheck {
  readonly file: string;
  /** Entries that can be read. */
  readonly redirects: number;
  readonly pages: number;
  readonly problems: readonly FoundProblem[];
}

const sliceMs = 50;

/**
 * Checks everything in a file, patterns compiled. `progress` hears how many entries are done. Throws what
 * `readRuleFile` throws.
 */
export async function checkRuleFile(
  file: string,
  options: {
    readonly format?: string | undefined;
    readonly progress?: (done: number, of: number) => void;
  } = {},
): Promise<RuleCheck> {
  const rules = await readRuleFile(file, options);
  const problems: FoundProblem[] = rules.errors.map(({ line, message, ...more }) => ({
    severity: "error",
    code: "ENTRY_UNREADABLE",
    message,
    place: { line, column: 1, ...more },
  }));
  let pages = 0;
  let due = performance.now() + sliceMs;
  for (const [index, item] of rules.items.entries()) {
    if (item.kind === "page") pages += 1;
    const found = item.kind === "page" ? checkPage(item) : checkRedirect(item);
    for (const problem of found) problems.push(placed(problem, item.id, rules));
    if (performance.now() > due) {
      options.progress?.(index + 1, rules.items.length);
      await setImmediate();
      due = performance.now() + sliceMs;
    }
  }
  return { file, redirects: rules.items.length - pages, pages, problems };
}

function placed(
  { severity, code, message, field, hint, position }: Problem,
  item: number,
  rules: ReadRules,
): FoundProblem {
  return {
    severity,
    code,
    message,
    ...(field !== undefined && { field }),
    ...(hint !== undefined && { hint }),
    get place() {
      return rules.locate(item, field, position);
    },
  };
}

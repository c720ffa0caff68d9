import type { RuleFileError } from "@posthouse/rules";
import { createPlaceFinder, type Place } from "../rule-file/problem-place.ts";
import { type ReadRulesOptions, readRuleFile } from "../rule-file/rule-file.ts";

/** What is wrong or doubtful with one entry of a rule file. */
export interface FoundProblem extends Omit<RuleFileError, "line" | "position"> {
  readonly severity: "error" | "warning";
  readonly place: Place;
}

export interface RuleCheck {
  readonly file: string;
  /** Entries that can be served. */
  readonly redirects: number;
  readonly pages: number;
  /** In the order of the file. */
  readonly problems: readonly FoundProblem[];
}

/** Checks everything in a file. Throws what `readRuleFile` throws. */
export async function checkRuleFile(file: string, options: ReadRulesOptions = {}): Promise<RuleCheck> {
  const { redirects, pages, errors, warnings, text, format } = await readRuleFile(file, options);
  const find = createPlaceFinder(text, format);
  const withPlace =
    (severity: FoundProblem["severity"]) =>
    ({ line, position, ...problem }: RuleFileError): FoundProblem => {
      const { field } = problem;
      const place = find({
        line,
        ...(field !== undefined && { field }),
        ...(position !== undefined && { position }),
      });
      return { severity, place, ...problem };
    };
  const problems = [...errors.map(withPlace("error")), ...warnings.map(withPlace("warning"))];
  problems.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  return { file, redirects: redirects.length, pages: pages.length, problems };
}

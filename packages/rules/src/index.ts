export { type Answer, type AnswerRequest, formatAnswer } from "./answer.ts";
export { rulesErrors } from "./errors.ts";
export { type Explanation, explain, explainInSteps, type NearMatch, type NearReason } from "./explain.ts";
export { checkPage } from "./page-check.ts";
export { type CompiledPattern, compilePattern } from "./pattern/compiled-pattern.ts";
export { type Problem, type ProblemCode, type ProblemDefinition, problemDefinitions } from "./problem.ts";
export { checkRedirect } from "./redirect-check.ts";
export { type RequestTarget, requestUri } from "./request-uri.ts";
export { parseRules, type RuleFile, type RuleFileFormat } from "./rule-file.ts";
export type { RuleFileError } from "./rule-file-entry.ts";
export type {
  Match,
  PageMatch,
  RedirectMatch,
  RuleSet,
  RuleSetBuilder,
  RuleSetCounters,
  RuleSetOptions,
} from "./rule-set.ts";
export { compileRules, createRuleSetBuilder } from "./rule-set-builder.ts";
export { compatOf } from "./rule-set-matcher.ts";
export { checkRules } from "./rules-check.ts";
export { formatTsvRow, tsvHeader } from "./tsv-format.ts";
export {
  createRowParser,
  createTsvParser,
  type TsvParser,
  type TsvReason,
  type TsvRow,
  type TsvRowError,
} from "./tsv-parser.ts";

import type { ErrorValues } from "@posthouse/protocol";

/** What is wrong, or doubtful, with one rule or page. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly severity: "error" | "warning";
  readonly itemId?: number;
  /** The field it is about: `source`, `target`, `type`, `status`, `path`, `content`, `contentType`. */
  readonly field?: string;
  /** Offset in that field's text, in UTF-16 units. */
  readonly position?: number;
  readonly hint?: string;
}

export interface ProblemDefinition {
  readonly severity: Problem["severity"];
  readonly message: string;
  readonly hint?: string;
  /** The matcher cannot serve the item at all, so a RuleSet leaves it out. */
  readonly blocks?: true;
}

const definitions = {
  TYPE_UNKNOWN: {
    severity: "error",
    message: "The type {type} is not known.",
    hint: "Use one of {known}.",
    blocks: true,
  },
  STATUS_UNKNOWN: {
    severity: "error",
    message: "The status {status} is not known; agents answer 302.",
    hint: "Use MOVED_PERMANENT, FOUND, TEMPORARY_REDIRECT or PERMANENT_REDIRECT.",
  },
  CONTENT_TYPE_UNKNOWN: {
    severity: "error",
    message: "The content type {contentType} is not known; agents answer text/plain.",
    hint: "Use TEXT_PLAIN or XML.",
  },
  SOURCE_EMPTY: { severity: "error", message: "The source is empty." },
  TARGET_EMPTY: { severity: "error", message: "The target is empty." },
  SOURCE_TOO_LONG: { severity: "error", message: "The source is longer than {limit} characters." },
  TARGET_TOO_LONG: { severity: "error", message: "The target is longer than {limit} characters." },
  PATH_TOO_LONG: { severity: "error", message: "The path is longer than {limit} characters." },
  SOURCE_NOT_ROOTED: {
    severity: "error",
    message: "The source does not start with /, so it can never equal a path.",
    hint: "Start it with /, or use BASIC_HOST for a host and a path.",
  },
  SOURCE_HAS_SCHEME: {
    severity: "error",
    message: "The source holds ://, but it is compared with the host and path alone.",
    hint: "Write example.com/path.",
  },
  SOURCE_STARTS_WITH_SLASHES: {
    severity: "error",
    message: "The source starts with //, but it is compared with the host and path alone.",
    hint: "Write example.com/path.",
  },
  SOURCE_WITHOUT_HOST: { severity: "error", message: "The source holds no host before its path." },
  SOURCE_WITHOUT_PATH: {
    severity: "error",
    message: "The source holds no path after its host.",
    hint: "End it with / to answer for the root of the host.",
  },
  SOURCE_INVALID: { severity: "error", message: "The source is not a URL: {reason}." },
  TARGET_WITHOUT_SCHEME: {
    severity: "error",
    message: "The target of a rule with a host must start with http://, https:// or //.",
  },
  TARGET_IS_SCRIPT: { severity: "warning", message: "The target runs as a script in the browser." },
  PATTERN_INVALID: { severity: "error", message: "The pattern does not compile: {reason}.", blocks: true },
  PATTERN_TOO_COSTLY: {
    severity: "error",
    message:
      "The pattern is too costly to run on every request: its program has {size} steps, {limit} are allowed.",
    hint: "Shorten counted repeats such as x{1,100}. Flecto's agents have no such bound and do serve it.",
    blocks: true,
  },
  PATTERN_MATCHES_ALL: { severity: "warning", message: "The pattern matches every request." },
  PATTERN_NEVER_MATCHES: {
    severity: "warning",
    message: "The pattern can never match: {reason}.",
  },
  PATTERN_MISSED_BY_FLECTO: {
    severity: "warning",
    message: "Official Flecto agents look this pattern up under {prefix} and miss requests that it matches.",
    hint: "Split the rule, or avoid a group that starts with literal text before more literal text.",
  },
  SOURCE_REPEATED: {
    severity: "warning",
    message: "Item {other} has the same type and source and answers instead, here as in Flecto's agents.",
    hint: "Delete one of them.",
  },
  ORDER_OPEN_IN_FLECTO: {
    severity: "warning",
    message:
      "More than 12 patterns may be tried for one request, and item {other} has one as long: Go agents may try either first, here the older is.",
    hint: "Make the one that is to be tried first the longer one.",
  },
  PATH_REPEATED: {
    severity: "warning",
    message: "Item {other} has the same type and path and answers instead, here as in Flecto's agents.",
    hint: "Delete one of them.",
  },
  GROUP_MISSING: {
    severity: "warning",
    message: "The target names {placeholder}, but the pattern has {groups} groups, so it stays as it is.",
  },
  TARGET_MAY_LEAVE_SITE: {
    severity: "warning",
    message: "A request may choose where this redirect leads, for example {example}.",
    hint: "Keep the scheme and host of the target literal, and do not let a capture after it start with /.",
  },
  PATH_NOT_ROOTED: { severity: "error", message: "The path does not start with /, so it can never match." },
  PATH_INVALID: { severity: "error", message: "The path is not a URL: {reason}." },
  PATH_WITHOUT_HOST: { severity: "error", message: "The path holds no host before its path." },
  PATH_WITHOUT_PATH: { severity: "error", message: "The path holds nothing after its host." },
  PATH_HAS_SCHEME: {
    severity: "error",
    message: "The path starts with a scheme or //, so it can never equal a host and path.",
    hint: "Write example.com/path.",
  },
  CONTENT_TOO_LARGE: { severity: "error", message: "The content is larger than {limit} bytes." },
} as const;

export type ProblemCode = keyof typeof definitions;

/** Every code that `checkRedirect` and `checkPage` can give. `{name}` is replaced by a value of that name. */
export const problemDefinitions: Readonly<Record<ProblemCode, ProblemDefinition>> = definitions;

/** Makes the problem of one code. */
export function createProblem(
  code: ProblemCode,
  details: { field?: string; position?: number; values?: ErrorValues } = {},
): Problem {
  const { severity, message, hint }: ProblemDefinition = problemDefinitions[code];
  const values = details.values ?? {};
  return {
    code,
    severity,
    message: fill(message, values),
    ...(details.field === undefined ? {} : { field: details.field }),
    ...(details.position === undefined ? {} : { position: details.position }),
    ...(hint === undefined ? {} : { hint: fill(hint, values) }),
  };
}

/** Tells whether an item with this problem is left out of a RuleSet. */
export function isBlocking(problem: Problem): boolean {
  const definition: ProblemDefinition | undefined = problemDefinitions[problem.code as ProblemCode];
  return definition?.blocks === true;
}

function fill(template: string, values: ErrorValues): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

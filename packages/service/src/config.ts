import { readFile } from "node:fs/promises";
import type * as z from "zod";
import { type ConfigPath, type ConfigProblem, type ConfigSource, readConfigSource } from "./config-source.ts";
import { serviceErrors } from "./errors.ts";
import { readJsonSource } from "./json-source.ts";
import { schemaKeys } from "./schema-keys.ts";
import { suggestionText } from "./suggestion.ts";

export interface LoadConfigOptions {
  /** What `${VAR}` stands for. Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** A name for the thing that a value belongs to, beside its place; called with the path and the whole as it was read. */
  readonly label?: (path: ConfigPath, value: unknown) => string | undefined;
}

/**
 * Reads and checks a YAML file. Throws CONFIG_UNREADABLE, CONFIG_SYNTAX or CONFIG_INVALID; the message of the last two
 * has one line per problem: `posthouse.yaml:12:5  sites[0].listen: what is wrong`.
 */
export async function loadConfig<T>(
  path: string,
  schema: z.ZodType<T>,
  options: LoadConfigOptions = {},
): Promise<T> {
  return (await loadLocatedConfig(path, schema, options)).config;
}

/** The place of a value, as problems name it: `posthouse.yaml:12:5  sites[0].listen`. */
export type ConfigLocator = (path: ConfigPath) => string;

export interface LocatedConfig<T> {
  readonly config: T;
  /** For what is found out about a value later on. */
  readonly locate: ConfigLocator;
}

/** As `loadConfig`, with the places of all values. */
export async function loadLocatedConfig<T>(
  path: string,
  schema: z.ZodType<T>,
  options: LoadConfigOptions = {},
): Promise<LocatedConfig<T>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw serviceErrors.create("CONFIG_UNREADABLE", { file: path, reason }, { cause });
  }
  return parseLocatedConfig(text, path, schema, options);
}

/** As `loadConfig`, from a text; `file` is the name that problems are reported with. */
export function parseConfig<T>(
  text: string,
  file: string,
  schema: z.ZodType<T>,
  env: NodeJS.ProcessEnv,
  label?: LoadConfigOptions["label"],
): T {
  return parseLocatedConfig(text, file, schema, { env, ...(label && { label }) }).config;
}

/**
 * As `parseConfig`, from JSON, in which a `${` stands for itself. Without `file` the text is nobody's, and problems come
 * without places in it.
 */
export function parseJsonConfig<T>(
  text: string,
  file: string | undefined,
  schema: z.ZodType<T>,
  label?: LoadConfigOptions["label"],
): T {
  const hint = "this is not JSON; correct the place named above";
  return parseSource(readJsonSource(text), file, schema, label, hint).config;
}

function parseLocatedConfig<T>(
  text: string,
  file: string,
  schema: z.ZodType<T>,
  { env = process.env, label }: LoadConfigOptions,
): LocatedConfig<T> {
  return parseSource(readConfigSource(text, env), file, schema, label);
}

function parseSource<T>(
  source: ConfigSource,
  file: string | undefined,
  schema: z.ZodType<T>,
  label: LoadConfigOptions["label"],
  syntaxHint?: string,
): LocatedConfig<T> {
  const fail = (code: "CONFIG_SYNTAX" | "CONFIG_INVALID", problems: readonly ConfigProblem[]): never => {
    const labelOf = (path: ConfigPath): string | undefined => label?.(path, source.value);
    const values = { problems: formatProblems(file, problems, labelOf) };
    const hint = code === "CONFIG_SYNTAX" ? syntaxHint : undefined;
    throw serviceErrors.create(code, values, { ...(hint && { hint }) });
  };
  if (source.broken) return fail("CONFIG_SYNTAX", source.problems);

  const value = source.value ?? {};
  let result = schema.safeParse(value);
  if (!result.success && retype(value, source, result.error.issues)) result = schema.safeParse(value);
  if (result.success && source.problems.length === 0) {
    return { config: result.data, locate: (path) => formatPlace(file ?? "", source.locate(path), path) };
  }

  const problems = [...source.problems];
  const reported = new Set(problems.map(({ path }) => formatPath(path)));
  for (const problem of (result.error?.issues ?? []).flatMap((issue) =>
    describe(issue, schema, value, source),
  )) {
    if (!reported.has(formatPath(problem.path))) problems.push(problem);
  }
  return fail("CONFIG_INVALID", problems);
}

/** A variable is text: turns `push: ${PUSH}` into a boolean or number where the schema wants one. True if any was. */
function retype(value: unknown, source: ConfigSource, issues: readonly z.core.$ZodIssue[]): boolean {
  let changed = false;
  for (const issue of issues) {
    if (issue.code !== "invalid_type" || !source.isExpanded(issue.path)) continue;
    const last = issue.path.at(-1);
    const holder = valueAt(value, issue.path.slice(0, -1)) as Record<PropertyKey, unknown>;
    if (last === undefined) continue;
    const text = String(holder[last]).trim();
    if (issue.expected === "boolean" && (text === "true" || text === "false")) holder[last] = text === "true";
    else if ((issue.expected === "number" || issue.expected === "int") && /^-?\d+(\.\d+)?$/.test(text))
      holder[last] = Number(text);
    else continue;
    changed = true;
  }
  return changed;
}

function describe(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  value: unknown,
  source: ConfigSource,
): ConfigProblem[] {
  if (issue.code === "unrecognized_keys") {
    const known = schemaKeys(schema, issue.path);
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return {
        place: source.locate(path, "key"),
        path,
        message: `unknown key${suggestionText(key, known) || `; known are ${known.join(", ")}`}`,
      };
    });
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const [nearest = []] = [...issue.errors].sort((a, b) => depth(b) - depth(a) || a.length - b.length);
    return nearest.flatMap((inner) =>
      describe({ ...inner, path: [...issue.path, ...inner.path] }, schema, value, source),
    );
  }
  if (issue.code === "invalid_key") {
    const message = issue.issues[0]?.message ?? issue.message;
    return [{ place: source.locate(issue.path, "key"), path: issue.path, message }];
  }
  const missing = issue.code === "invalid_type" && valueAt(value, issue.path) === undefined;
  const message = missing ? "is missing" : issue.message.replace(/^Invalid input: /, "");
  return [{ place: source.locate(issue.path), path: issue.path, message }];
}

const depth = (issues: readonly z.core.$ZodIssue[]): number =>
  Math.max(0, ...issues.map(({ path, code }) => path.length + (code === "unrecognized_keys" ? 1 : 0)));

function valueAt(value: unknown, path: ConfigPath): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== "object" || here === null) return undefined;
    here = (here as Record<PropertyKey, unknown>)[step];
  }
  return here;
}

function formatProblems(
  file: string | undefined,
  problems: readonly ConfigProblem[],
  labelOf: (path: ConfigPath) => string | undefined,
): string {
  return [...problems]
    .sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
    .map(({ place, path, message }) => {
      const label = labelOf(path);
      const said = label === undefined ? message : `${label}: ${message}`;
      if (file === undefined) return [formatPath(path), said].filter(Boolean).join(": ");
      return path.length === 0
        ? `${file}:${place.line}:${place.column}  ${said}`
        : `${formatPlace(file, place, path)}: ${said}`;
    })
    .join("\n");
}

function formatPlace(file: string, { line, column }: ConfigProblem["place"], path: ConfigPath): string {
  return `${file}:${line}:${column}  ${formatPath(path)}`;
}

/** `sites[0].listen` */
export function formatPath(path: ConfigPath): string {
  return path
    .map((step, index) =>
      typeof step === "number" ? `[${step}]` : `${index === 0 ? "" : "."}${String(step)}`,
    )
    .join("");
}

import { suggestionText } from "@posthouse/service";
import type { Finding, Note } from "./finding.ts";
import type { Path } from "./located-yaml.ts";

/** A text that holds `${NAME}`, in place of what it stands for. */
type Variable = string;

interface Kinds {
  readonly text: string;
  readonly flag: boolean | Variable;
  /** Not below zero. */
  readonly count: number | Variable;
  readonly "count or flag": number | boolean | Variable;
  readonly texts: readonly string[];
  readonly any: unknown;
}
interface Shape {
  readonly [key: string]: keyof Kinds | Shape | readonly [Shape];
}
type Read<S> = S extends keyof Kinds
  ? Kinds[S]
  : S extends readonly [infer Each]
    ? readonly Read<Each>[]
    : { readonly [Key in keyof S]?: Read<S[Key]> };

const proxyShape = {
  listen: "text",
  forward: "text",
  project_key: "text",
  preserve_host: "flag",
  add_rule_ids_header: "flag",
  trusted_proxies: "texts",
  request_body_size_limit: "text",
  compress: "flag",
  access_log: "flag",
  allow_invalid_certificates: "flag",
  allow_ipv6_forward: "flag",
  forwarded_for_strategy: "text",
  timeout: "count",
  keep_alive: { enabled: "flag" },
  tls_cert_file: "text",
  tls_key_file: "text",
} as const;

const agentShape = {
  instance_name: "text",
  listen: "text",
  persist: "flag",
  datadir: "text",
  logging: "any",
  test_mode: "any",
  cache: "count or flag",
  timeout: "count",
  project_keys: "texts",
  proxies: [proxyShape] as readonly [typeof proxyShape],
  metrics: { listen: "text", format: "text" },
  log: {
    stderr: { level: "text" },
    file: { level: "text", path: "text" },
    syslog: { level: "text", tag: "text", network: "text", address: "text" },
  },
  host: "text",
} as const;

/** The configuration of redirection.io's agent 2.x: what is set in it. */
export type RedirectionioAgent = Read<typeof agentShape>;
export type RedirectionioProxy = Read<typeof proxyShape>;

const newerKeys = ["instance", "reverse_proxy", "api"];

/** Checks keys and types; what cannot be read is left out and noted. */
export function readRedirectionioOptions(value: unknown): {
  readonly options: RedirectionioAgent;
  readonly findings: readonly Finding[];
} {
  const findings: Finding[] = [];
  const note: Note = (severity, path, message) => void findings.push({ severity, path, message });
  const fields = record(value) ?? {};
  const newer = newerKeys.find((key) => Object.hasOwn(fields, key));
  if (newer !== undefined || Array.isArray(fields.log)) {
    const message = "is of redirection.io's agent 3.x; only the flat file of 2.x is converted";
    return { options: {}, findings: [{ severity: "error", path: [newer ?? "log"], message }] };
  }
  return { options: (read(value, agentShape, [], note) ?? {}) as RedirectionioAgent, findings };
}

/** The value in its kind; undefined when it is not set, or not of it. */
function read(value: unknown, kind: keyof Kinds | Shape | readonly [Shape], path: Path, note: Note): unknown {
  if (value === undefined || value === null) return undefined;
  const refuse = (expected: string): undefined => void note("error", path, `expected ${expected}`);
  if (typeof kind === "object" && !isList(kind)) {
    const fields = record(value);
    return fields === undefined ? refuse("a group of keys") : readGroup(fields, kind, path, note);
  }
  if (typeof kind === "object" || kind === "texts") {
    if (!Array.isArray(value)) return refuse("a list");
    const each = kind === "texts" ? "text" : kind[0];
    return value.flatMap((item: unknown, index) => {
      const entry = read(item ?? "", each, [...path, index], note);
      return entry === undefined ? [] : [entry];
    });
  }
  if (typeof value === "string") noteVariables(value, path, note);
  if (kind === "any" || isVariable(value)) return value;
  if (kind === "text") return ["string", "number"].includes(typeof value) ? String(value) : refuse("a text");
  if (typeof value === "boolean" && kind !== "count") return value;
  if (kind === "flag") return refuse("true or false");
  if (typeof value === "number" && value >= 0) return value;
  return refuse("a number that is not below zero");
}

function readGroup(
  fields: Readonly<Record<string, unknown>>,
  shape: Shape,
  path: Path,
  note: Note,
): Record<string, unknown> {
  const known = Object.keys(shape);
  for (const key of Object.keys(fields)) {
    if (known.includes(key)) continue;
    const hint = suggestionText(key, known) || `; known are ${known.join(", ")}`;
    note("error", [...path, key], `unknown key${hint}`);
  }
  const entries = Object.entries(shape).map(([key, kind]) => [
    key,
    read(fields[key], kind, [...path, key], note),
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** What ours would read otherwise: a default in the braces, and `$${`. */
function noteVariables(text: string, path: Path, note: Note): void {
  for (const [whole] of text.matchAll(/\$*\$\{[^}]*\}?/g)) {
    if (isVariable(whole)) continue;
    note("error", path, `"${whole}" is not \${NAME}, the only form of a variable that can be taken over`);
  }
}

const isVariable = (value: unknown): boolean =>
  typeof value === "string" && /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(value);

const isList = (kind: Shape | readonly [Shape]): kind is readonly [Shape] => Array.isArray(kind);

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

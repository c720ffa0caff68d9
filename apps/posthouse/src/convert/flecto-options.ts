import { suggestionText } from "@posthouse/service";
import type { Finding, Note } from "./finding.ts";
import { parseGoDuration } from "./go-duration.ts";
import type { Path } from "./located-yaml.ts";

/** The options of Flecto's Traefik middleware as it understands them, after its merging of the root into the entries. */
export interface FlectoMiddleware {
  readonly agentName: string | undefined;
  readonly debug: boolean;
  readonly root: FlectoSource | undefined;
  readonly entries: readonly { readonly hosts: readonly string[]; readonly source: FlectoSource }[];
}

/** Where one client of the middleware gets its rules from. */
export interface FlectoSource {
  /** Where it stands in the options. */
  readonly path: Path;
  readonly url: string;
  readonly namespace: string;
  readonly project: string;
  readonly token: string;
  /** Empty: Authorization. */
  readonly header: string;
  /** As written; empty: 5m. */
  readonly interval: string;
}

const sourceKeys = [
  "manager_url",
  "namespace_code",
  "project_code",
  "token_jwt",
  "header_authorization_name",
  "interval_check",
] as const;
const rootKeys: readonly string[] = [...sourceKeys, "agent_name", "debug", "host_configs"];
const entryKeys: readonly string[] = [...sourceKeys, "agent_name", "debug", "hosts"];

/** Keys that show that options are this middleware's. */
export const flectoKeys: readonly string[] = rootKeys;

type SourceKey = (typeof sourceKeys)[number];
type SourceTexts = Record<SourceKey, string>;
type Fields = Readonly<Record<string, unknown>>;

/** Reads and checks what a user of the middleware wrote. With an error among the findings there are no options. */
export function readFlectoOptions(value: Fields): {
  readonly options: FlectoMiddleware | undefined;
  readonly findings: readonly Finding[];
} {
  const findings: Finding[] = [];
  const noted = new Set<string>();
  const note: Note = (severity, path, message) => {
    const key = `${path.join(".")} ${message}`;
    if (!noted.has(key)) findings.push({ severity, path, message });
    noted.add(key);
  };

  const texts = (fields: Fields, path: Path): SourceTexts =>
    Object.fromEntries(
      sourceKeys.map((key) => [key, text(fields[key], [...path, key], note)]),
    ) as SourceTexts;

  noteUnknownKeys(value, rootKeys, [], note);
  const rootTexts = texts(value, []);
  const agentName = text(value.agent_name, ["agent_name"], note);
  const configs = list(value.host_configs, ["host_configs"], note);
  if (rootTexts.project_code === "" && configs.length === 0) {
    note("error", ["project_code"], "either project_code or host_configs must be configured");
  }

  const root = rootTexts.project_code === "" ? undefined : source(rootTexts, rootTexts, [], note);
  const entries = configs.flatMap((one, index) => {
    const path: Path = ["host_configs", index];
    const fields = record(one);
    if (fields === undefined) {
      note("error", path, "expected a group of keys: hosts, project_code and others");
      return [];
    }
    noteUnknownKeys(fields, entryKeys, path, note);
    noteIgnored(fields, path, note);
    const own = texts(fields, path);
    const hosts = readHosts(fields.hosts, [...path, "hosts"], note);
    if (hosts.length === 0) note("error", [...path, "hosts"], "hosts is required and cannot be empty");
    if (own.project_code === "") note("error", [...path, "project_code"], "project_code is required");
    const merged = Object.fromEntries(
      sourceKeys.map((key) => [key, key === "project_code" ? own[key] : own[key] || rootTexts[key]]),
    ) as SourceTexts;
    return [{ hosts, source: source(merged, own, path, note) }];
  });

  const debug = readFlag(value.debug, ["debug"], note);
  const isUsable = findings.every(({ severity }) => severity !== "error");
  return {
    options: isUsable ? { agentName: agentName || undefined, debug, root, entries } : undefined,
    findings,
  };
}

/** `own`: what stands at `path` itself; the rest of `texts` is inherited from the top. */
function source(texts: SourceTexts, own: SourceTexts, path: Path, note: Note): FlectoSource {
  const inherited = path.length === 0 ? "" : ", here or at the top";
  for (const key of ["manager_url", "namespace_code", "token_jwt"] as const) {
    if (texts[key] === "") note("error", [...path, key], `is missing: ${key} is mandatory${inherited}`);
  }
  const { interval_check: interval } = texts;
  const intervalPath: Path = own.interval_check === "" ? ["interval_check"] : [...path, "interval_check"];
  const ms = interval === "" ? undefined : parseGoDuration(interval);
  if (interval !== "" && ms === undefined) {
    const unit = /^\d+$/.test(interval) ? `; a number needs its unit, such as "${interval}s"` : "";
    note("error", intervalPath, `invalid interval check duration "${interval}"${unit}`);
  } else if (ms !== undefined && ms <= 0) {
    const what = `"${interval}" is not above zero, with which the middleware panics`;
    note("error", intervalPath, what);
  }
  return {
    path,
    url: texts.manager_url,
    namespace: texts.namespace_code,
    project: texts.project_code,
    token: texts.token_jwt,
    header: texts.header_authorization_name,
    interval,
  };
}

function noteUnknownKeys(fields: Fields, known: readonly string[], path: Path, note: Note): void {
  for (const key of Object.keys(fields)) {
    if (known.includes(key)) continue;
    note(
      "warning",
      [...path, key],
      `unknown key, ignored as the middleware does${suggestionText(key, known)}`,
    );
  }
}

/** The middleware takes both from the top only. */
function noteIgnored(fields: Fields, path: Path, note: Note): void {
  for (const key of ["agent_name", "debug"]) {
    if (Object.hasOwn(fields, key))
      note("warning", [...path, key], "only the one at the top counts; ignored");
  }
}

/** Traefik makes texts of numbers and booleans. */
function text(value: unknown, path: Path, note: Note): string {
  if (value === undefined || value === null) return "";
  if (["string", "number", "boolean"].includes(typeof value)) return String(value);
  note("error", path, "expected a text");
  return "";
}

function readFlag(value: unknown, path: Path, note: Note): boolean {
  const given = text(value, path, note);
  if (/^(1|t|true)$/i.test(given)) return true;
  if (!/^(0|f|false)?$/i.test(given)) note("error", path, "expected true or false");
  return false;
}

function list(value: unknown, path: Path, note: Note): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  note("error", path, "expected a list");
  return [];
}

/** Traefik cuts a single text at its commas. */
function readHosts(value: unknown, path: Path, note: Note): string[] {
  if (typeof value === "string") return value === "" ? [] : value.split(",");
  return list(value, path, note).map((host, index) => text(host, [...path, index], note));
}

function record(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/**
 * From the configuration of redirection.io's agent 2.x to ours: each proxy becomes a site. Its rules are another matter:
 * they stay with their platform, so the sites forward everything until they are given projects.
 */
import { agentConfigSchema } from "@posthouse/agent";
import { isPosthouseError } from "@posthouse/protocol";
import { parseConfig } from "@posthouse/service";
import { stringify } from "yaml";
import { commandErrors } from "../errors.ts";
import { type Finding, formatFinding, formatPath } from "./finding.ts";
import { type Path, readLocatedYaml } from "./located-yaml.ts";
import { noteDifferences } from "./redirectionio-differences.ts";
import { type RedirectionioAgent, readRedirectionioOptions } from "./redirectionio-options.ts";
import { convertedLogLevel, convertSite } from "./redirectionio-site.ts";

export interface RedirectionioRequest {
  /** Name of the file, for messages. */
  readonly file: string;
  /** The agent's state directory; by default `posthouse` in `datadir`, or ./state. */
  readonly state?: string | undefined;
}

export interface ConvertedRedirectionio {
  /** An agent's configuration, as YAML. */
  readonly yaml: string;
  /** `file:line:column  key: what is different`. */
  readonly warnings: readonly string[];
}

/** Throws CONVERT_SYNTAX, or CONVERT_INVALID with every problem and its place. */
export function convertRedirectionio(text: string, request: RedirectionioRequest): ConvertedRedirectionio {
  const { file } = request;
  const document = readDocument(text, file);
  const { options, findings } = readRedirectionioOptions(document.value);
  const all = [...findings];
  const note = (severity: Finding["severity"], path: Path, message: string): void =>
    void all.push({ severity, path, message });
  const isReadable = all.length === 0;
  const origins = new Map<string, Path>();
  const config = convertAgent(options, request, origins, note);
  const yaml = `${header(file)}${stringify(config, { lineWidth: 0 })}`;
  if (isReadable) {
    noteDifferences(options, note);
    const known = new Set(
      all.filter(({ severity }) => severity === "error").map(({ path }) => formatPath(path)),
    );
    all.push(...refused(yaml, origins, document.value).filter(({ path }) => !known.has(formatPath(path))));
  }
  const lines = (findings: readonly Finding[]): string[] =>
    inOrder(findings, document.locate).map((finding) => formatFinding(finding, file, document.locate));
  const errors = all.filter(({ severity }) => severity === "error");
  if (errors.length > 0)
    throw commandErrors.create("CONVERT_INVALID", { problems: lines(errors).join("\n") });
  return { yaml, warnings: lines(all) };
}

function inOrder(findings: readonly Finding[], locate: Document["locate"]): Finding[] {
  const offset = ({ path }: Finding): number => locate(path).line * 1e6 + locate(path).column;
  return findings.toSorted((a, b) => offset(a) - offset(b));
}

interface Document {
  readonly value: unknown;
  locate(path: Path): { readonly line: number; readonly column: number };
}

function readDocument(text: string, file: string): Document {
  const read = readLocatedYaml(text);
  const fail = (where: string, reason: string): never => {
    throw commandErrors.create("CONVERT_SYNTAX", { where, reason });
  };
  if ("fault" in read) {
    const { place, reason } = read.fault;
    return fail(`${file}:${place.line}:${place.column}`, reason);
  }
  const [document, ...more] = read.documents;
  if (document === undefined || more.length > 0) {
    return fail(file, `it has ${read.documents.length} YAML documents in place of one`);
  }
  return document;
}

type Convert = (
  options: RedirectionioAgent,
  request: RedirectionioRequest,
  origins: Map<string, Path>,
  note: (severity: Finding["severity"], path: Path, message: string) => void,
) => unknown;

const convertAgent: Convert = (
  { instance_name: name, datadir, metrics, log, proxies = [] },
  request,
  origins,
  note,
) => {
  const sites = proxies.map((proxy, index) => convertSite(proxy, index, origins, note));
  const [output] = (["stderr", "file", "syslog"] as const).filter((key) => log?.[key]?.level !== undefined);
  const level = output && convertedLogLevel(log?.[output]?.level ?? "", ["log", output, "level"], note);
  origins.set("name", ["instance_name"]);
  origins.set("state", ["datadir"]);
  origins.set("admin", ["metrics", "listen"]);
  const adminPort = proxies.some(({ listen = "" }) => listen.endsWith(":9400")) ? 9401 : 9400;
  const listen = metrics?.listen?.replace(/^\//, "unix:/");
  return {
    ...(name ? { name } : {}),
    state: request.state ?? (!datadir ? "./state" : `${datadir.replace(/\/+$/, "")}/posthouse`),
    admin: { listen: listen || `127.0.0.1:${adminPort}` },
    ...(level === undefined ? {} : { log: { level } }),
    sites,
  };
};

/** What our agent would refuse, told of the keys that it was made from. What a variable holds is not known. */
function refused(yaml: string, origins: ReadonlyMap<string, Path>, source: unknown): Finding[] {
  try {
    const anything = new Proxy({}, { get: () => "1" }) as NodeJS.ProcessEnv;
    parseConfig(yaml, "", agentConfigSchema, anything);
    return [];
  } catch (error) {
    if (!isPosthouseError(error)) throw error;
    return error.message.split("\n").flatMap((line): Finding[] => {
      const [, place = "", message = line] = /^:\d+:\d+ {2}([\w.[\]-]+): (.*)$/.exec(line) ?? [];
      const path = originOf(place, origins);
      const isVariable = String(path && valueAt(source, path)).includes("${");
      if (isVariable) return [];
      if (path !== undefined) return [{ severity: "error", path, message: ourNames(message, origins) }];
      return [{ severity: "error", path: [], message: `${place} ${message}`.trim() }];
    });
  }
}

/** The key that the value at a place of ours, or what encloses it, was made from. */
function originOf(place: string, origins: ReadonlyMap<string, Path>): Path | undefined {
  for (let here = place; here !== ""; here = here.replace(/(?:^|\.)\w+$|\[\d+\]$/, "")) {
    const path = origins.get(here);
    if (path !== undefined) return path;
    if (!/[.\]]/.test(here)) return undefined;
  }
  return undefined;
}

/** A message that names one of our sites names the proxy instead. */
function ourNames(message: string, origins: ReadonlyMap<string, Path>): string {
  return message.replace(/\bsites\[\d+\](?!\.)/g, (site) => formatPath(origins.get(site) ?? [site]));
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (here, step) => (here as Record<string | number, unknown> | undefined)?.[step],
    value,
  );
}

const header = (file: string): string =>
  `# Made by posthouse convert redirectionio from ${file.replace(/[\r\n]/g, " ")}.\n`;

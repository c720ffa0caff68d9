import { suggestionText } from "@posthouse/service";
import { commandErrors } from "../errors.ts";
import { type LocatedDocument, type Path, type Place, readLocatedYaml } from "./located-yaml.ts";

/** The options of one middleware, and where they stand in the file. */
export interface MiddlewareOptions {
  /** Undefined when the file holds the bare options. */
  readonly name: string | undefined;
  readonly value: Readonly<Record<string, unknown>>;
  locate(path: Path): Place;
}

export interface TraefikFileRequest {
  /** For messages. */
  readonly file: string;
  /** Which middleware is meant, where the file has several. */
  readonly middleware: string | undefined;
  /** Keys by which the plugin's options are known. */
  readonly keys: readonly string[];
}

/**
 * Finds the options of a plugin: alone in the file, below `http.middlewares.NAME.plugin.PLUGIN`, or in a Kubernetes
 * object of kind Middleware. Throws CONVERT_SYNTAX, MIDDLEWARE_AMBIGUOUS or MIDDLEWARE_UNKNOWN.
 */
export function findMiddleware(
  text: string,
  { file, middleware, keys }: TraefikFileRequest,
): MiddlewareOptions {
  if (file.endsWith(".toml") || /^\s*\[\[?[\w."-]+\]\]?\s*$/m.test(text)) {
    throw commandErrors.create("CONVERT_SYNTAX", {
      where: file,
      reason: "it looks like TOML; give the same as YAML or JSON",
    });
  }
  const read = readLocatedYaml(text);
  if ("fault" in read) {
    const { place, reason } = read.fault;
    throw commandErrors.create("CONVERT_SYNTAX", { where: `${file}:${place.line}:${place.column}`, reason });
  }
  const found = read.documents.flatMap((document) => [...candidates(document, keys)]);
  if (middleware !== undefined) {
    const named = found.find(({ name }) => name === middleware);
    if (named !== undefined) return named;
    const names = found.flatMap(({ name }) => name ?? []);
    throw commandErrors.create("MIDDLEWARE_UNKNOWN", {
      file,
      wanted: ` named "${middleware}"${suggestionText(middleware, names)}`,
      expected: names.length === 0 ? wanted(keys) : `It has ${names.join(", ")}.`,
    });
  }
  const [only, ...more] = found;
  if (only === undefined) {
    throw commandErrors.create("MIDDLEWARE_UNKNOWN", { file, wanted: "", expected: wanted(keys) });
  }
  if (more.length > 0) {
    const names = found.map(({ name }) => name ?? "(bare options)");
    throw commandErrors.create("MIDDLEWARE_AMBIGUOUS", {
      file,
      count: found.length,
      names: names.join(", "),
    });
  }
  return only;
}

function* candidates(document: LocatedDocument, keys: readonly string[]): Generator<MiddlewareOptions> {
  const root = record(document.value);
  if (root === undefined) return;
  const at = (name: string | undefined, path: Path, value: Record<string, unknown>): MiddlewareOptions => ({
    name,
    value,
    locate: (inner) => document.locate([...path, ...inner]),
  });
  const http = record(root.http);
  const spec = record(root.spec);
  if (http !== undefined) {
    for (const [name, one] of Object.entries(record(http.middlewares) ?? {})) {
      for (const [plugin, options] of plugins(record(one))) {
        if (isOurs(options, keys)) yield at(name, ["http", "middlewares", name, "plugin", plugin], options);
      }
    }
  } else if (root.kind === "Middleware" && spec !== undefined) {
    for (const [plugin, options] of plugins(spec)) {
      const { name } = record(root.metadata) ?? {};
      if (isOurs(options, keys)) yield at(String(name ?? plugin), ["spec", "plugin", plugin], options);
    }
  } else if (Object.keys(root).length === 0 || isOurs(root, keys)) {
    yield at(undefined, [], root);
  }
}

function plugins(holder: Record<string, unknown> | undefined): [string, Record<string, unknown>][] {
  return Object.entries(record(holder?.plugin) ?? {}).map(([name, value]) => [name, record(value) ?? {}]);
}

function isOurs(options: Record<string, unknown>, keys: readonly string[]): boolean {
  return Object.keys(options).some((key) => keys.includes(key));
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

const wanted = (keys: readonly string[]): string =>
  `Give its options alone (${keys.slice(0, 4).join(", ")} …) or Traefik's dynamic configuration with http.middlewares.NAME.plugin.PLUGIN.`;

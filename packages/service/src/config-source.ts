import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";

/**
 * A YAML text as plain values, with the place of every key, and `${VAR}` already replaced.
 * Variables stand in values only, never in keys; `$${` is a literal `${`.
 */
export interface ConfigSource {
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** True when the text is not YAML, or more of it than we read: `value` is then of no use. */
  readonly broken: boolean;
  /** The place of a key (`of: "key"`), or of the value at a path; of the nearest enclosing one when it is absent. */
  locate(path: ConfigPath, of?: "key" | "value"): Place;
  /** True when the value at this path was written without quotes and made from a variable. */
  isExpanded(path: ConfigPath): boolean;
}

export type ConfigPath = readonly PropertyKey[];
interface Place {
  readonly line: number;
  readonly column: number;
}
export interface ConfigProblem {
  readonly place: Place;
  readonly path: ConfigPath;
  readonly message: string;
}

const maxDepth = 50;
const maxNodes = 100_000;
const variable = /\$?\$\{([^}]*)(\}?)/g;
const insideVariable = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

export const keyOf = (path: ConfigPath): string => JSON.stringify(path);

/** As `ConfigSource.locate`: where it was found, by `keyOf`; undefined when there is nothing at all. */
export function nearest<Found>(
  path: ConfigPath,
  of: "key" | "value",
  keys: ReadonlyMap<string, Found>,
  values: ReadonlyMap<string, Found>,
): Found | undefined {
  for (let length = path.length; length > 0; length--) {
    const key = keyOf(path.slice(0, length));
    const found = (of === "key" || length < path.length ? keys.get(key) : undefined) ?? values.get(key);
    if (found !== undefined) return found;
  }
  return values.get(keyOf([]));
}

/** Reads YAML. Never throws: what is wrong is in `problems`. */
export function readConfigSource(text: string, env: NodeJS.ProcessEnv): ConfigSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems: ConfigProblem[] = [];
  const values = new Map<string, Place>();
  const keys = new Map<string, Place>();
  const expanded = new Set<string>();
  let nodes = 0;
  let broken = document.errors.length > 0;

  const placeAt = (offset: number | undefined): Place => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const note = (place: Place, path: ConfigPath, message: string): void => {
    problems.push({ place, path, message });
  };

  function expand(raw: string, path: ConfigPath, place: Place): string {
    return raw.replace(variable, (whole, inside: string, end: string) => {
      if (whole.startsWith("$$")) return whole.slice(1);
      const [, name, fallback] = (end && insideVariable.exec(inside)) || [];
      if (name === undefined) {
        note(place, path, `"${whole}" is not \${NAME} or \${NAME:-default}; a literal \${ is written $\${`);
        return "";
      }
      const value = env[name];
      if (value === "" && fallback === undefined && whole === raw)
        note(place, path, `the environment variable ${name} is empty; where it may be, write \${${name}:-}`);
      if (value !== undefined && (value !== "" || fallback === undefined)) return value;
      if (fallback === undefined) note(place, path, `the environment variable ${name} is not set`);
      return fallback ?? "";
    });
  }

  function read(node: Node | null | undefined, path: ConfigPath): unknown {
    const place = placeAt(node?.range?.[0]);
    values.set(keyOf(path), place);
    if (path.length > maxDepth || ++nodes > maxNodes) {
      if (!broken) note(place, [], nodes > maxNodes ? "aliases make the file too large" : "nested too deep");
      broken = true;
      return undefined;
    }
    if (isAlias(node)) return read(node.resolve(document) as Node | undefined, path);
    if (isMap(node)) {
      const result: Record<string, unknown> = {};
      for (const pair of node.items) {
        const name = String(isScalar(pair.key) ? pair.key.value : pair.key);
        const inner = [...path, name];
        keys.set(keyOf(inner), placeAt((pair.key as Node | null)?.range?.[0]));
        Object.defineProperty(result, name, {
          value: read(pair.value as Node | null, inner),
          enumerable: true,
          configurable: true,
          writable: true,
        });
      }
      return result;
    }
    if (isSeq(node)) return node.items.map((item, index) => read(item as Node, [...path, index]));
    if (!isScalar(node)) return undefined;
    if (typeof node.value !== "string" || !node.value.includes("${")) return node.value;
    if (node.type === "PLAIN") expanded.add(keyOf(path));
    return expand(node.value, path, place);
  }

  for (const error of document.errors) {
    note(placeAt(error.pos[0]), [], error.message.split("\n")[0] ?? error.message);
  }
  const value = broken ? undefined : read(document.contents, []);

  return {
    value,
    problems: broken ? problems.filter(({ path }) => path.length === 0) : problems,
    broken,
    locate(path, of = "value") {
      return nearest(path, of, keys, values) ?? { line: 1, column: 1 };
    },
    isExpanded: (path) => expanded.has(keyOf(path)),
  };
}

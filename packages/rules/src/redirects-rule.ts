import type { Redirect } from "@posthouse/protocol";
import type { PathShape } from "./path-trie.ts";
import type { RedirectsLine } from "./redirects-line.ts";

const placeholder = /(:[A-Za-z]\w*|\*)/;
const mostGroups = 9;
const mostParams = 3;

/** The paths of a source. */
export function shapeOf(path: string): PathShape {
  const segments: (string | undefined)[] = [];
  for (const segment of path.split("/").slice(1)) {
    if (segment.includes("*")) return { segments, isOpen: true };
    segments.push(placeholder.test(segment) ? undefined : segment);
  }
  return { segments, isOpen: false };
}

/**
 * The redirect of a line, as a pattern: a path is compared without the query, and the query is handed on unless the
 * target has one or conditions ask for parts of it. `host` overrides the line's own. A text: why there is none.
 */
export function createRedirect(line: RedirectsLine, host: string | undefined = line.host): Redirect | string {
  const names: string[] = [];
  const path = createPathPattern(line.path, names);
  if (path === undefined) return "more than one * is not offered";
  const pathGroups = names.length;
  const query = createQueryPattern(line.params, names);
  if (query === undefined) return `more than ${mostParams} conditions on the query are not offered`;
  if (names.length > mostGroups) return `more than ${mostGroups} placeholders are not offered`;
  const start = host === undefined ? "^" : `^${escapePattern(host)}`;
  const target = fillTarget(line, names, pathGroups);
  const isSite = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(target);
  if (host !== undefined && new RegExp(`^https?://${escapePattern(host)}(?:[/?#]|$)`, "i").test(target)) {
    if (line.host !== undefined && leadsToItself(line)) return "it leads to itself, whatever the scheme";
  }
  return {
    type: host === undefined ? "REGEX" : "REGEX_HOST",
    source: start + path + query,
    target: host === undefined || isSite ? target : `//${host}${target}`,
    status: line.status,
  };
}

/** Makes a pattern longer by `count` characters, and no different: longer ones are tried first. */
export function padPattern(source: string, count: number): string {
  let padded = source;
  if (count % 2 === 1) padded = padded.replace(/\$$/, "\\z");
  if (count % 4 >= 2) padded = padded.replace("\\?", "\\x3f");
  return padded + "(?:)".repeat(count >> 2);
}

function createPathPattern(path: string, names: string[]): string | undefined {
  let pattern = "";
  for (const piece of path.split(placeholder)) {
    if (piece === "*") {
      if (names.includes("splat")) return undefined;
      names.push("splat");
      // `/news/*` stands for `/news` too.
      const isRest = pattern.endsWith("/") && pattern !== "/" && path.endsWith("/*");
      pattern = isRest ? `${pattern.slice(0, -1)}(?:/([^?]*))?` : `${pattern}([^?]*)`;
    } else if (placeholder.test(piece)) {
      names.push(piece.slice(1));
      pattern += "([^/?]+)";
    } else pattern += escapePattern(piece);
  }
  return pattern;
}

function createQueryPattern(params: RedirectsLine["params"], names: string[]): string | undefined {
  if (params.length === 0) {
    names.push("?");
    return "(\\?.*)?$";
  }
  if (params.length > mostParams) return undefined;
  const orders = permute(params).map((order) =>
    order.map(([name, value]) => {
      const isNamed = /^:[A-Za-z]\w*$/.test(value);
      if (isNamed) names.push(value.slice(1));
      return `${escapePattern(name)}=${isNamed ? "([^&]*)" : escapePattern(value)}`;
    }),
  );
  const choices = orders.map((order) => order.join("&(?:.*?&)??"));
  const both = choices.length === 1 ? choices[0] : `(?:${choices.join("|")})`;
  return `\\?(?:.*?&)??${both}(?:&.*)?$`;
}

/** A name that stands in several groups took part in one of them only: all are written, one after the other. */
function fillTarget({ target, params }: RedirectsLine, names: readonly string[], pathGroups: number): string {
  const groupsOf = (name: string): string =>
    names.map((known, index) => (known === name ? `$${index + 1}` : "")).join("");
  const plain = target.replace(/\$(?=[1-9])/g, "%24");
  const filled = plain.replace(/:([A-Za-z]\w*)/g, (whole, name: string) => groupsOf(name) || whole);
  if (params.length > 0 || filled.includes("?")) return filled;
  const hash = filled.indexOf("#");
  const end = hash < 0 ? filled.length : hash;
  return `${filled.slice(0, end)}$${pathGroups + 1}${filled.slice(end)}`;
}

/** With the same path on the same host only the scheme could have told source and target apart. */
function leadsToItself({ host, path, target }: RedirectsLine): boolean {
  const splat = (text: string): string => text.replace("*", ":splat");
  return target.replace(/^https?:\/\//i, "").toLowerCase() === `${host}${splat(path)}`.toLowerCase();
}

function permute<T>(values: readonly T[]): T[][] {
  if (values.length < 2) return [[...values]];
  return values.flatMap((value, index) =>
    permute(values.toSpliced(index, 1)).map((rest) => [value, ...rest]),
  );
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
}

/**
 * `_redirects` files, in which the first line that matches answers. Our matcher tries the longest pattern first, and
 * patterns with a host before the others. So from the last line to the first, a line's pattern is made as long as the
 * longest of the later lines that some request has in common with it; of equal length the earlier one is tried first.
 * A line without a host that comes before one with a host is said again for that host.
 */
import type { Redirect } from "@posthouse/protocol";
import { createPathTrie, type PathShape, type PathTrie } from "./path-trie.ts";
import { checkRedirect } from "./redirect-check.ts";
import { parseRedirectsLine, type RedirectsLine } from "./redirects-line.ts";
import { createRedirect, padPattern, shapeOf } from "./redirects-rule.ts";
import type { Entry } from "./rule-file-entry.ts";

const longestSource = 600;

interface Rule {
  readonly line: number;
  readonly read: RedirectsLine;
  readonly shape: PathShape;
}

/** The redirects of a file, in its order, and the lines that are left out. */
export function readRedirectsFile(text: string): Entry[] {
  const { rules, refused } = readLines(text);
  const entries: { line: number; redirect: Redirect; isRepeat: boolean }[] = [];
  const anyHost = createPathTrie();
  const byHost = new Map<string, PathTrie>();

  function put(rule: Rule, host: string | undefined, trie: PathTrie): void {
    const redirect = createRedirect(rule.read, host);
    if (typeof redirect === "string") return;
    const wanted = trie.greatest(rule.shape);
    const missing = Math.max(0, wanted - redirect.source.length);
    const source = padPattern(redirect.source, missing);
    trie.add(rule.shape, source.length);
    const isRepeat = host !== rule.read.host;
    entries.push({ line: rule.line, redirect: { ...redirect, source }, isRepeat });
  }

  for (const rule of rules.toReversed()) {
    const { host } = rule.read;
    if (host !== undefined) {
      const trie = byHost.get(host) ?? createPathTrie();
      byHost.set(host, trie);
      put(rule, host, trie);
      continue;
    }
    for (const [name, trie] of byHost) if (trie.greatest(rule.shape) > 0) put(rule, name, trie);
    put(rule, undefined, anyHost);
  }
  const seen = new Set<string>();
  const needed = entries.reverse().filter(({ redirect, isRepeat }) => {
    const isKnown = seen.has(redirect.source);
    seen.add(redirect.source);
    return !(isRepeat && isKnown);
  });
  return [...needed, ...refused];
}

function readLines(text: string): { rules: Rule[]; refused: Entry[] } {
  const rules: Rule[] = [];
  const refused: Entry[] = [];
  const lost = createLostLines();
  const lines = text.split(/\r?\n/).map(parseRedirectsLine);
  const longestHost = lines.reduce((most, read) => Math.max(most, hostLength(read)), 0);
  for (const [index, read] of lines.entries()) {
    if (read === undefined) continue;
    const line = index + 1;
    const refuse = (message: string, answers?: { host: string | undefined; path: string }): void => {
      refused.push({ line, error: { code: "LINE_NOT_OFFERED", message } });
      if (answers !== undefined) lost.add(answers.host, shapeOf(answers.path), line);
    };
    if ("reason" in read) {
      refuse(read.reason, read.answers);
      continue;
    }
    const shape = shapeOf(read.path);
    const before = lost.before(read.host, shape);
    const redirect = createRedirect(read);
    if (typeof redirect === "string") refuse(redirect, read);
    else if (before > 0)
      refuse(`line ${before}, which is left out, answers some of its requests first`, read);
    else {
      const problem = findProblem(redirect, read.host === undefined ? longestHost : 0);
      if (problem === undefined) rules.push({ line, read, shape });
      else refuse(problem, read);
    }
  }
  return { rules, refused };
}

/** `room` is what the source may grow by, when the line is said again for a host. */
function findProblem(redirect: Redirect, room: number): string | undefined {
  if (redirect.source.length + room > longestSource) return "the source is too long";
  return checkRedirect(redirect).find(({ severity }) => severity === "error")?.message;
}

/** Lines that would have answered, were they not left out. What comes after them must not answer in their place. */
function createLostLines(): {
  add(host: string | undefined, shape: PathShape, line: number): void;
  before(host: string | undefined, shape: PathShape): number;
} {
  const all = createPathTrie();
  const byHost = new Map<string | undefined, PathTrie>();
  return {
    add(host, shape, line) {
      const trie = byHost.get(host) ?? createPathTrie();
      byHost.set(host, trie);
      trie.add(shape, line);
      all.add(shape, line);
    },
    before(host, shape) {
      if (host === undefined) return all.greatest(shape);
      const tries = [byHost.get(host), byHost.get(undefined)];
      return Math.max(...tries.map((trie) => trie?.greatest(shape) ?? 0));
    },
  };
}

/** Its length in a pattern, at most. */
function hostLength(read: ReturnType<typeof parseRedirectsLine>): number {
  return read === undefined || "reason" in read ? 0 : 2 * (read.host?.length ?? 0);
}

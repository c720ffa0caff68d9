import { compileRules, formatAnswer, parseRules, type RuleFile, type RuleSet } from "@posthouse/rules";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const redirects = (text: string): RuleFile => parseRules(text, "_redirects");

function compile({ redirects: all }: RuleFile): RuleSet {
  const items = all.map((redirect, index) => ({ id: index + 1, kind: "redirect" as const, ...redirect }));
  return compileRules(items, { clock: () => 0 });
}

function answer(file: RuleFile, host: string, uri: string): string | undefined {
  const match = compile(file).match(host, uri);
  if (match === undefined) return undefined;
  const { status, headers } = formatAnswer(match, { method: "GET", host, uri });
  return `${status} ${headers[0]?.[1]}`;
}

describe("a _redirects file", () => {
  const file = redirects(
    [
      "# moved",
      "/home / # the root",
      "/news/* /blog/:splat 302!",
      "/user/:id/x-:tab https://h.example/:tab/:id 308",
      "/price  /$1?a=b  307",
      "/store id=:id /item/:id 301",
      "/find q=:q page=:p /s/:q/:p",
      "/find q=:q /s/:q",
      "http://old.example/* https://new.example/:splat",
      "http://old.example/here /there",
      "/café /coffee#menu",
      "/pics/*.png /images/:splat.webp",
    ].join("\r\n"),
  );

  it("is read without errors", () => expect(file.errors).toEqual([]));

  it.each([
    ["/home", "301 /"],
    ["/home?x=1&y=2", "301 /?x=1&y=2"],
    ["/home/", undefined],
    ["/news", "302 /blog/"],
    ["/news/", "302 /blog/"],
    ["/news/a/b?c", "302 /blog/a/b?c"],
    ["/newsletter", undefined],
    ["/user/5/x-info", "308 https://h.example/info/5"],
    ["/user//x-info", undefined],
    ["/price?c=d", "307 /%241?a=b"],
    ["/store?z=1&id=7&y=2", "301 /item/7"],
    ["/store", undefined],
    ["/store?xid=7", undefined],
    ["/find?page=2&q=cat", "301 /s/cat/2"],
    ["/find?q=cat&x&page=2", "301 /s/cat/2"],
    ["/find?q=cat", "301 /s/cat"],
    ["/caf%C3%A9?x", "301 /coffee?x#menu"],
    ["/pics/a/b.png", "301 /images/a/b.webp"],
  ])("answers %s with %s", (uri, expected) => expect(answer(file, "any.example", uri)).toBe(expected));

  it("keeps the first line's answer for a host", () => {
    expect(answer(file, "old.example", "/here")).toBe("301 https://new.example/here");
    expect(answer(file, "old.example", "/home")).toBe("301 //old.example/");
    expect(answer(file, "other.example", "/here")).toBeUndefined();
  });

  it("reports what cannot be expressed, by line", () => {
    const lines = [
      "/a /b 200",
      "/c",
      "/d /e 301 Country=de",
      "/f /g 999",
      "f /g",
      "/*/x/* /y",
      "/h/:a/:b/:c/:d/:e/:f/:g/:i/:j /k",
      "http://h.example/* https://h.example/:splat 301!",
      "/q a=1 b=2 c=3 d=4 /r",
      "/s ab /t",
      "https://:sub.example/* /u",
      `/${"v".repeat(600)} /w`,
      "/x?y=z /1",
    ];
    const read = redirects(lines.join("\n"));
    expect(read.redirects).toEqual([]);
    expect(read.errors.map(({ line, code }) => `${line} ${code}`)).toEqual(
      lines.map((_line, index) => `${index + 1} LINE_NOT_OFFERED`),
    );
  });

  it("lets no line answer in place of one that was left out", () => {
    const read = redirects(
      "/app/* /index.html 200\n/app/old /new\n/other /new\n/* /gone\n/ /de 302 Language=de",
    );
    expect(read.lines.redirects).toEqual([3]);
    expect(read.errors.map(({ line }) => line)).toEqual([1, 2, 4, 5]);
  });

  it("answers as trying every line in turn does", () => {
    const piece = fc.constantFrom("a", "b", "ab", ":x", ":y", "a-:x", "");
    const path = fc
      .tuple(fc.array(piece, { maxLength: 3 }), fc.constantFrom("", "", "/*", "/a*", "/*/b"))
      .map(([pieces, end]) => pieces.map((one) => `/${one}`).join("") + end || "/")
      .filter((text) => !/(:[xy]).*\1/.test(text));
    const line = fc
      .record({
        host: fc.constantFrom("", "", "http://h.example", "https://www.example"),
        path,
        params: fc.constantFrom("", "", "", " k=1", " k=:k", " k=1 m=:m", " m=:m k=:k"),
        target: fc.constantFrom("/t", "/t/:splat", "https://n.example/:x", "/:y/:x", "/q?z", "/k-:k-:m#f"),
        status: fc.constantFrom("", " 301", " 302!", " 307", " 308", " 200", " 302 Country=de"),
      })
      .map(({ host, path: from, params, target, status }) => `${host}${from}${params} ${target}${status}`);
    const uri = fc
      .tuple(
        fc.array(fc.constantFrom("a", "b", "ab", "a-b", "c", ""), { minLength: 1, maxLength: 4 }),
        fc.constantFrom("", "", "?", "?k=1", "?k=2&m=3", "?m=3&z&k=1", "?z=1", "?k=1&k=2"),
      )
      .map(([pieces, query]) => `/${pieces.join("/")}${query}`);
    const host = fc.constantFrom("h.example", "www.example", "other.example");
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 7 }),
        fc.array(fc.tuple(host, uri), { minLength: 8, maxLength: 8 }),
        (lines, requests) => {
          const read = redirects(lines.join("\n"));
          const rules = compile(read);
          expect(rules.problems).toEqual([]);
          const leftOut = new Set(read.errors.map((error) => error.line));
          for (const [name, text] of requests) {
            const match = rules.match(name, text);
            const ours = match?.kind === "redirect" ? `${match.status} ${match.target}` : undefined;
            const first = tryInTurn(lines, name, text);
            const wanted = first === undefined || leftOut.has(first.line) ? undefined : first.answer;
            expect(withoutHost(ours, name)).toBe(withoutHost(wanted, name));
          }
        },
      ),
      { numRuns: Number(process.env.RUNS ?? 300) },
    );
  });
});

/** A line that is said again for a host leads to the same place by another name. */
function withoutHost(text: string | undefined, host: string): string | undefined {
  return text?.replace(` //${host}/`, " /");
}

function tryInTurn(
  lines: readonly string[],
  host: string,
  uri: string,
): { line: number; answer: string } | undefined {
  for (const [index, text] of lines.entries()) {
    const answered = tryLine(text, host, uri);
    if (answered !== undefined) return { line: index + 1, answer: answered };
  }
  return undefined;
}

/** One line, the slow and plain way. */
function tryLine(text: string, host: string, uri: string): string | undefined {
  const words = text.split(" ");
  const at = words.findIndex((word, index) => index > 0 && /^(\/|http)/.test(word));
  const [from = "", target = ""] = [words[0], words[at]];
  const [code = "301", condition] = words.slice(at + 1);
  if (condition !== undefined) return undefined;
  const [, name, path = ""] = /^(?:https?:\/\/([^/]+))?(.*)$/.exec(from) ?? [];
  if (name !== undefined && name !== host) return undefined;
  const [requestPath = "", ...queries] = uri.split("?");
  const values = matchPath(path, requestPath);
  if (values === undefined) return undefined;
  const asked = words.slice(1, at).map((word) => word.split("="));
  for (const [key = "", value = ""] of asked) {
    const got = new Map(
      (queries[0] ?? "")
        .split("&")
        .reverse()
        .map((pair) => pair.split(/=(.*)/s) as [string, string]),
    );
    const found = got.get(key);
    if (found === undefined || (!value.startsWith(":") && value !== found)) return undefined;
    if (value.startsWith(":")) values.set(value.slice(1), found);
  }
  const filled = target.replace(/:(splat|[xykm])\b/g, (whole, key: string) => values.get(key) ?? whole);
  if (asked.length > 0 || target.includes("?") || queries.length === 0)
    return `${code.slice(0, 3)} ${filled}`;
  const [front = "", ...hash] = filled.split("#");
  return `${code.slice(0, 3)} ${[`${front}?${queries.join("?")}`, ...hash].join("#")}`;
}

function matchPath(pattern: string, path: string): Map<string, string> | undefined {
  if (pattern.endsWith("/*") && pattern !== "/*") {
    const values = matchPath(pattern.slice(0, -2), path);
    if (values !== undefined) return values.set("splat", "");
  }
  const names: string[] = [];
  let source = "";
  for (const piece of pattern.split(/(:[xy]|\*)/)) {
    if (piece === "*" || /^:[xy]$/.test(piece)) {
      names.push(piece === "*" ? "splat" : piece.slice(1));
      source += piece === "*" ? "(.*)" : "([^/]+)";
    } else source += piece;
  }
  const found = new RegExp(`^${source}$`).exec(path);
  return found === null ? undefined : new Map(names.map((name, index) => [name, found[index + 1] ?? ""]));
}

import type { Page, Redirect } from "@posthouse/protocol";
import { checkPage, checkRedirect, problemDefinitions } from "@posthouse/rules";
import { describe, expect, it } from "vitest";

type Fields = Partial<Record<"type" | "source" | "target" | "status", string>>;
const redirect = (fields: Fields): Redirect =>
  ({ type: "BASIC", source: "/a", target: "/b", status: "FOUND", ...fields }) as Redirect;
const page = (fields: Partial<Record<keyof Page, string>>): Page =>
  ({ type: "BASIC", path: "/a", content: "", contentType: "XML", ...fields }) as Page;
const host = { type: "BASIC_HOST", target: "https://n/" };

const redirectCases: [string, Fields, number?][] = [
  ["TYPE_UNKNOWN", { type: "NONE" }],
  ["STATUS_UNKNOWN", { status: "SEE_OTHER" }],
  ["SOURCE_EMPTY", { source: "" }],
  ["TARGET_EMPTY", { target: "" }],
  ["SOURCE_TOO_LONG", { source: `/${"a".repeat(600)}` }, 600],
  ["TARGET_TOO_LONG", { target: `/${"a".repeat(2048)}` }, 2048],
  ["SOURCE_NOT_ROOTED", { source: "a" }, 0],
  ["SOURCE_INVALID", { source: "/a%zz" }, 2],
  ["SOURCE_INVALID", { source: "/a\u0001" }, 2],
  ["SOURCE_HAS_SCHEME", { ...host, source: "http://h/a" }, 4],
  ["SOURCE_STARTS_WITH_SLASHES", { ...host, source: "//h/a" }, 0],
  ["SOURCE_WITHOUT_HOST", { ...host, source: "/a" }, 0],
  ["SOURCE_WITHOUT_PATH", { ...host, source: "h.example" }, 9],
  ["TARGET_WITHOUT_SCHEME", { ...host, source: "h/a", target: "/b" }, 0],
  ["TARGET_IS_SCRIPT", { target: "javascript:alert(1)" }, 0],
  ["PATTERN_INVALID", { type: "REGEX", source: "^/a(b" }, 3],
  ["PATTERN_INVALID", { type: "REGEX", source: "^/[z-a]" }, 3],
  ["PATTERN_TOO_COSTLY", { type: "REGEX", source: "(a{1,30}b?){1,30}" }],
  ["PATTERN_MATCHES_ALL", { type: "REGEX", source: "^.*$" }],
  ["PATTERN_NEVER_MATCHES", { type: "REGEX", source: "old" }],
  ["PATTERN_MISSED_BY_FLECTO", { type: "REGEX", source: "^/(en|es)/x$" }, 0],
  ["GROUP_MISSING", { type: "REGEX", source: "^/(a)$", target: "/$2" }, 1],
  ["TARGET_MAY_LEAVE_SITE", { type: "REGEX", source: "^/(.*)/$", target: "/$1" }, 1],
];
const pageCases: [string, Partial<Record<keyof Page, string>>][] = [
  ["CONTENT_TYPE_UNKNOWN", { contentType: "HTML" }],
  ["PATH_TOO_LONG", { path: `/${"a".repeat(600)}` }],
  ["PATH_NOT_ROOTED", { path: "a" }],
  ["PATH_INVALID", { path: "/%" }],
  ["PATH_WITHOUT_HOST", { type: "BASIC_HOST", path: "/a" }],
  ["PATH_WITHOUT_PATH", { type: "BASIC_HOST", path: "h.example" }],
  ["PATH_HAS_SCHEME", { type: "BASIC_HOST", path: "//h/a" }],
  ["CONTENT_TOO_LARGE", { content: "é".repeat(524_289) }],
];

describe("the checks", () => {
  it.each(redirectCases)("give %s", (code, fields, position) => {
    const problem = checkRedirect(redirect(fields)).find((one) => one.code === code);
    expect(problem).toBeDefined();
    expect(problem?.message).not.toMatch(/\{\w+\}/);
    expect(problem?.position).toBeTypeOf("number");
    if (position !== undefined) expect(problem?.position).toBe(position);
  });

  it.each(pageCases)("give %s", (code, fields) => {
    expect(checkPage(page(fields)).map((one) => one.code)).toContain(code);
  });

  it("have a case for every code", () => {
    const ofWholeProjects = ["SOURCE_REPEATED", "PATH_REPEATED", "ORDER_OPEN_IN_FLECTO"];
    const tried = new Set<string>(
      [...redirectCases, ...pageCases].map(([code]) => code).concat(ofWholeProjects),
    );
    expect(Object.keys(problemDefinitions).filter((code) => !tried.has(code))).toEqual([]);
  });

  it("accept what Flecto accepts", () => {
    const good: Fields[] = [
      { source: "/a b" },
      { source: "/é" },
      { source: "//x/y" },
      { source: "/#" },
      { source: "/a?x=%zz" },
      { target: " " },
      { ...host, source: "h.example/" },
      { ...host, source: "h:80/a" },
      { ...host, source: "*.h/p" },
      { ...host, source: "u@h/p" },
      { ...host, source: "h/a?u=http://x/" },
      { ...host, source: "h/a", target: "HTTPS://n" },
      { type: "REGEX", source: "" },
    ];
    for (const fields of good) {
      expect(checkRedirect(redirect(fields)).filter(({ severity }) => severity === "error")).toEqual([]);
    }
  });

  it("do not warn where no request can choose the site", () => {
    for (const [source, target] of [
      ["^/old/(.*)$", "/new/$1"],
      ["^/([a-z]+)/$", "/$1"],
      ["^/x(/.*)$", "https://n.example$1"],
    ]) {
      const codes = checkRedirect(redirect({ type: "REGEX", source, target } as Fields)).map(
        ({ code }) => code,
      );
      expect(codes).not.toContain("TARGET_MAY_LEAVE_SITE");
    }
  });
});

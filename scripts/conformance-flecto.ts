import type { Item } from "@posthouse/protocol";
import { compileRules, formatAnswer, type Match, type RuleSet, requestUri } from "@posthouse/rules";
import * as z from "zod";
import { ConformanceFileError, type ConformanceSuite } from "./conformance-suite.ts";

const rule = z.record(z.string(), z.string());
const expectation = z.looseObject({ kind: z.string() }).nullable();
const vectorSchema = z.looseObject({ name: z.string(), level: z.string(), debug: z.boolean().optional() });
const caseSchema = z.looseObject({
  name: z.string(),
  level: z.enum(["match", "http"]),
  redirects: z.array(rule),
  pages: z.array(rule),
  request: z.looseObject({ host: z.string(), uri: z.string(), method: z.string().default("GET") }),
  expect: expectation,
  /** What a matcher without Flecto's prefix index finds, where that differs. */
  expect_plain_regex: expectation.optional(),
});
type Vector = z.infer<typeof caseSchema>;
type Found = Readonly<Record<string, unknown>> | null;

/** Flecto's matcher and answers: with `compat: flecto` as its agents do, without as the patterns alone say. */
export const flecto: ConformanceSuite = {
  description: "Flecto's redirects and pages: which rule answers a request, and what is sent",
  run(file) {
    const failures: { name: string; message: string }[] = [];
    const notRun = new Map<string, number>();
    let passed = 0;
    for (const vector of parse(z.array(vectorSchema), file)) {
      const reason = reasonNotToRun(vector);
      if (reason !== undefined) {
        notRun.set(reason, (notRun.get(reason) ?? 0) + 1);
        continue;
      }
      const message = check(parse(caseSchema, vector));
      if (message === undefined) passed += 1;
      else failures.push({ name: vector.name, message });
    }
    return { passed, failures, notRun };
  },
};

function reasonNotToRun({ level, debug }: z.infer<typeof vectorSchema>): string | undefined {
  if (level !== "match" && level !== "http") return `level ${level}`;
  return debug === true ? "debug headers" : undefined;
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ConformanceFileError(
    `no cases of Flecto: ${issue?.message} at ${issue?.path.join(".") || "the top"}`,
  );
}

/** Undefined when the case passes. */
function check(vector: Vector): string | undefined {
  if (vector.level === "http") return difference("the answer", vector.expect, answer(vector));
  const plain = vector.expect_plain_regex === undefined ? vector.expect : vector.expect_plain_regex;
  const expected = isStartAnchored(vector) ? vector.expect : plain;
  return (
    difference("with compat: flecto", vector.expect, find(vector, "flecto", vector.expect)) ??
    difference("without compat", expected, find(vector, undefined, expected))
  );
}

/** A pattern that begins with literal text counts from the start of the URI, in both ways of matching. */
function isStartAnchored({ redirects, expect }: Vector): boolean {
  const [only] = redirects;
  return expect === null && redirects.length === 1 && /^[\w/-]+$/.test(only?.source ?? "");
}

function difference(how: string, expected: Found, found: Found): string | undefined {
  const [left, right] = [normalise(expected), normalise(found)];
  return left === right ? undefined : `${how}: expected ${left}, found ${right}`;
}

/** Keys in one order, without what Go says of a pattern and without the headers that only another handler adds. */
function normalise(found: Found): string {
  if (found === null) return "null";
  const kept = Object.entries(found).filter(([key]) => key !== "go_error" && key !== "added_headers");
  return JSON.stringify(Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1))));
}

/** Vectors also hold rules that a Manager would refuse, hence no check. */
function compile({ redirects, pages }: Vector, compat: "flecto" | undefined): RuleSet {
  const items = [
    ...redirects.map((fields) => ({ ...fields, kind: "redirect" })),
    ...pages.map((fields) => ({ ...fields, kind: "page" })),
  ].map((fields, index) => ({ ...fields, id: index + 1 }));
  return compileRules(items as unknown as Item[], { compat });
}

function find(vector: Vector, compat: "flecto" | undefined, expected: Found): Found {
  const ruleSet = compile(vector, compat);
  if (expected?.kind === "load_error") {
    const refused = ruleSet.problems.find(({ severity }) => severity === "error");
    if (refused?.itemId !== undefined) return { kind: "load_error", redirect_index: refused.itemId - 1 };
  }
  const match = ruleSet.match(vector.request.host, vector.request.uri);
  return match === undefined ? null : describe(match, vector.redirects.length);
}

function describe(match: Match, redirects: number): Found {
  const { kind, status } = match;
  if (match.kind === "redirect") {
    return { kind, redirect_index: match.item.id - 1, status, target: match.target };
  }
  const page_index = match.item.id - redirects - 1;
  return { kind, page_index, status, content_type: match.contentType, body: match.content };
}

function answer(vector: Vector): Found {
  const { method } = vector.request;
  const target = requestUri(vector.request.uri, { text: true });
  const host = target?.host ?? vector.request.host;
  const match = target === undefined ? undefined : compile(vector, "flecto").match(host, target.uri);
  if (target === undefined || match === undefined) return { kind: "next" };
  const { status, headers, body } = formatAnswer(
    match,
    { method, host, uri: target.uri },
    { compat: "flecto" },
  );
  // The server adds the length. Go's gives none with a HEAD and with a large page, which it sends in chunks; ours may.
  const hasLength = Object.hasOwn(Object(vector.expect?.headers), "Content-Length");
  const length = hasLength ? [["Content-Length", String(Buffer.byteLength(body))] as const] : [];
  const sent = [...headers, ...length].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { kind: "http", status, headers: Object.fromEntries(sent), body };
}

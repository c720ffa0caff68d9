import { readFileSync } from "node:fs";
import type { Item, Page, Redirect } from "@posthouse/protocol";
import { compileRules, formatAnswer, requestUri } from "@posthouse/rules";
import { describe, expect, it } from "vitest";

interface HttpCase {
  readonly name: string;
  readonly level: string;
  readonly redirects: readonly Redirect[];
  readonly pages: readonly Page[];
  readonly request: { readonly host: string; readonly uri: string; readonly method?: string };
  readonly expect: { kind: string; status?: number; headers?: Record<string, string>; body?: string };
}

const all = JSON.parse(readFileSync(new URL("./vectors/flecto.json", import.meta.url), "utf8")) as HttpCase[];
const cases = all.filter(({ level }) => level === "http");

describe.each([{ compat: "flecto" as const }, {}])("the answers of the middleware with %j", (options) => {
  it.each(cases.map((one) => [one.name, one] as const))(
    "%s",
    (_name, { redirects, pages, request, expect: wanted }) => {
      const items = [
        ...redirects.map((one, index): Item => ({ id: index + 1, kind: "redirect", ...one })),
        ...pages.map((one, index): Item => ({ id: 1000 + index, kind: "page", ...one })),
      ];
      const target = requestUri(Buffer.from(request.uri, "utf8").toString("latin1"));
      const host = target?.host ?? request.host;
      const uri = target?.uri ?? "";
      const match = compileRules(items, options).match(host, uri);
      if (wanted.kind === "next") {
        expect(match).toBeUndefined();
        return;
      }
      expect(match).toBeDefined();
      if (match === undefined) return;
      const answer = formatAnswer(match, { method: request.method ?? "GET", host, uri }, options);
      const debug = /^(Content-Length|X-Middleware-.*)$/;
      const headers = Object.entries(wanted.headers ?? {}).filter(([name]) => !debug.test(name));
      expect(answer.status).toBe(wanted.status);
      const isOurs = (name: string): boolean => name === "ETag" && options.compat === undefined;
      const sent = answer.headers.filter(([name]) => !isOurs(name));
      expect(Object.fromEntries(sent)).toEqual(Object.fromEntries(headers));
      expect(answer.body).toBe(wanted.body);
    },
  );
});

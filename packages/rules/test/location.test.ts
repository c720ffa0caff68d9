import type { Redirect, RedirectItem } from "@posthouse/protocol";
import { checkRedirect, compileRules, formatAnswer, requestUri } from "@posthouse/rules";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const site = "https://site.example:8443";
const runs = { numRuns: Number(process.env.RUNS ?? 1000) };

const piece = fc.constantFrom(
  ...[
    "/",
    "//",
    "\\",
    "evil.example",
    "https:",
    "javascript:",
    ".",
    "..",
    "%2f",
    "%5C",
    "%09",
    "?",
    "#",
    "@",
    " ",
  ],
  ...["\t", "\r\n", "\u0000", "a", ":80", "é", "。", "[", "$1", "$2", "&"],
);
const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(""));
const template = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom("$1", "$2", "/", "//good.example", "https://", "good.example"),
      },
      { weight: 2, arbitrary: piece },
    ),
    {
      minLength: 1,
      maxLength: 5,
    },
  )
  .map((pieces) => pieces.join(""));

function redirect(target: string, fields: Partial<Redirect> = {}): RedirectItem {
  return {
    id: 1,
    kind: "redirect",
    type: "REGEX",
    source: "^/-((?s).*)-((?s).*)$",
    target,
    status: "FOUND",
    ...fields,
  };
}

function locate(item: RedirectItem, host: string, uri: string, compat?: "flecto"): string | undefined {
  const options = { compat, clock: () => 0 };
  const match = compileRules([item], options).match(host, uri);
  if (match === undefined) return undefined;
  const answer = formatAnswer(match, { method: "GET", host, uri }, options);
  return answer.headers.find(([name]) => name === "Location")?.[1];
}

/** Whether what stands in a target literally names a scheme or host. */
function namesSite(target: string): boolean {
  return (
    /^[A-Za-z][A-Za-z0-9+.-]*:/.test(target) ||
    /^\/\/[/\\]*[^/\\?#]*[A-Za-z0-9]/.test(target.replace(/\$[12]/g, ""))
  );
}

describe("a Location", () => {
  it("is on the request's own site unless the target names another, whatever the request", () => {
    fc.assert(
      fc.property(
        template.filter((target) => !namesSite(target)),
        text,
        text,
        (target, one, two) => {
          const uri = `/-${one}-${two}`;
          const location = locate(redirect(target), "site.example:8443", uri);
          expect(location).toBeDefined();
          expect(location).toMatch(/^\/(?![/\\])[\t\x20-\x7e]*$/);
          expect(new URL(location ?? "", site).origin).toBe(site);
          expect(
            new URL(location ?? "", `${site}${requestUri(uri, { text: true })?.uri ?? "/"}`).origin,
          ).toBe(site);
        },
      ),
      runs,
    );
  });

  it("has a host that its literal end decides, or the rule is passed over", () => {
    const end = fc.constantFrom("/", "/a/$2", "?$2", "", "$2", "/$2/$1");
    fc.assert(
      fc.property(end, text, text, (tail, one, two) => {
        const location = locate(
          redirect(`https://$1.good.example${tail}`),
          "site.example",
          `/-${one}-${two}`,
        );
        if (location === undefined || !URL.canParse(location)) return;
        const { hostname } = new URL(location);
        if (tail === "$2") expect(hostname).toMatch(/\.good\.example/);
        else expect(hostname.endsWith(".good.example")).toBe(true);
      }),
      runs,
    );
  });

  it.each([
    ["^/lang/([^/]+)$", "https://$1.example.com/", "/lang/evil.example?", undefined],
    ["^/x/(.*)$", "https://$1.example.com/", "/x/evil.example/", undefined],
    ["^/x/(.*)$", "https://good.example.$1.com", "/x/evil.com/", undefined],
    ["^/x/(.*)$", "https:/$1", "/x//evil.example", undefined],
    ["^/x/(.*)$", "https://$1.example.com/", "/x/de", "https://de.example.com/"],
    ["^(/.*)$", "https://www.example.com$1", "/a?b", "https://www.example.com/a?b"],
    ["^/x(.*)$", "https://www.example.com$1", "/x.evil.example/", undefined],
  ])("of %s to %s, asked for %s, is %s", (source, target, uri, expected) => {
    const rule = { id: 1, kind: "redirect", type: "REGEX", source, target, status: "FOUND" } as const;
    expect(locate(rule, "site.example", uri)).toBe(expected);
  });

  it("is on the site that the target names, or the rule is passed over", () => {
    const behind = fc.constantFrom("$1", "/$1", "?$1", "#$1", "/a/$1$2", "\\$1");
    const front = fc.constantFrom(
      "https://good.example",
      "//good.example",
      "http://good.example:81",
      "HTTPS://u@good.example",
    );
    fc.assert(
      fc.property(front, behind, text, text, (start, end, one, two) => {
        const location = locate(redirect(start + end), "site.example:8443", `/-${one}-${two}`);
        if (location === undefined || !URL.canParse(location, site)) return;
        const { hostname } = new URL(location, site);
        expect(hostname).toMatch(/^good\.example/);
        if (!end.startsWith("$")) expect(hostname).toBe("good.example");
        else expect(hostname).toMatch(/^good\.example[a-z0-9.-]*$/);
      }),
      runs,
    );
  });

  it("has one slash where a capture alone would be the host", () => {
    expect(locate(redirect("//$1/x"), "h", "/-evil.example-")).toBe("/evil.example/x");
    const own: Partial<Redirect> = { type: "REGEX_HOST", source: "^www\\.([^/]+)/(.*)$" };
    expect(locate(redirect("//$1/$2", own), "www.h.example", "/a")).toBe("//h.example/a");
    expect(locate(redirect("//$1/$2", own), "www.h@evil.example", "/a")).toBeUndefined();
  });

  it("holds nothing that may not stand in a header", () => {
    const relative = redirect("x", { source: "^/" });
    expect(locate(relative, "h", "/%00%0d%0a%7f/", "flecto")).toBe("/%00  %7f/x");
    expect(locate(relative, "h", "/%00%0d%0a%7f/")).toBe("/%00%0d%0a%7f/x");
  });

  it("is Go's with compat", () => {
    const swap = redirect("/$1", { source: "^/(.*)/$" });
    expect(locate(swap, "h", "//evil.example/", "flecto")).toBe("//evil.example");
    expect(locate(swap, "h", "//evil.example/")).toBe("/evil.example");
  });
});

describe("TARGET_MAY_LEAVE_SITE", () => {
  const source = fc.constantFrom(
    ...[
      "^/(.*)/$",
      "/(.*)",
      "^/-(.+)-(.*)$",
      "^/to/(.*)$",
      "^(/.*)/$",
      "^/([a-z.]+)/(.*)$",
      "^/x(/.*)?$",
      "(.*)/(.*)",
      "^/(a|ab)/(.*)",
    ],
  );
  it("gives a request that leaves the site in a Go agent, or here", () => {
    let warned = 0;
    fc.assert(
      fc.property(
        source,
        template,
        fc.constantFrom("REGEX" as const, "REGEX_HOST" as const),
        (pattern, target, type) => {
          const item = redirect(target, { type, source: pattern });
          const warning = checkRedirect(item).find(({ code }) => code === "TARGET_MAY_LEAVE_SITE");
          const example = / for example (.*)\.$/s.exec(warning?.message ?? "")?.[1];
          if (example === undefined) return;
          warned += 1;
          const slash = type === "REGEX" ? 0 : example.indexOf("/");
          const uri = requestUri(example.slice(slash), { text: true })?.uri ?? "";
          const host = example.slice(0, slash);
          const places = [locate(item, host, uri, "flecto"), locate(item, host, uri)];
          const away = places.filter(
            (place) => place !== undefined && new URL(place, site).hostname.endsWith("evil.example"),
          );
          expect(away).not.toEqual([]);
        },
      ),
      runs,
    );
    expect(warned).toBeGreaterThan(10);
  });
});

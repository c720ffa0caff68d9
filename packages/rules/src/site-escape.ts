import type { Redirect } from "@posthouse/protocol";
import { formatAnswer } from "./answer.ts";
import { compilePattern } from "./pattern/compiled-pattern.ts";
import type { Pattern } from "./pattern/pattern-parser.ts";
import { sampleText } from "./pattern/sample.ts";
import { readFlectoPrefix } from "./pattern-check.ts";
import { requestUri } from "./request-uri.ts";
import { substitute } from "./substitution.ts";
import { isTargetSafe } from "./target.ts";

const stranger = "evil.example";
const baits = [
  `/${stranger}`,
  `//${stranger}`,
  `${stranger}/`,
  `${stranger}?`,
  `${stranger}#`,
  `${stranger}`,
  `https://${stranger}`,
  `.${stranger}`,
  `@${stranger}`,
  `/${stranger}/x`,
  `\\${stranger}`,
];

/**
 * A request that leads a pattern's redirect to a site which its author did not write, or `undefined` when none was
 * found: in a Go agent, or else here. Every example given was tried.
 */
export function findSiteEscape(redirect: Redirect, pattern: Pattern): string | undefined {
  if (pattern.groups === 0 || !mayEscape(redirect.target)) return undefined;
  const compiled = compilePattern(redirect.source);
  const flectoPrefix = readFlectoPrefix(redirect.source).found;
  for (let group = 1; group <= Math.min(pattern.groups, 9); group++) {
    if (!redirect.target.includes(`$${group}`)) continue;
    for (const bait of baits) {
      const request = toRequest(redirect, sampleText(pattern.root, group, bait));
      const captures = request && compiled.exec(request.text);
      const target = captures && substitute(redirect.target, captures);
      if (target === undefined || request === undefined) continue;
      const isServedByGo = request.text.startsWith(flectoPrefix);
      if (isServedByGo && leadsAway(redirect, target, request.uri, "flecto")) return request.shown;
      if (!isTargetSafe(redirect, target, pattern.groups)) continue;
      if (leadsAway(redirect, target, request.uri, undefined)) return request.shown;
    }
  }
  return undefined;
}

interface TriedRequest {
  readonly shown: string;
  readonly uri: string;
  /** What the pattern is compared with. */
  readonly text: string;
}

/** The request whose URI, or host and URI, is a text. */
function toRequest({ type }: Redirect, shown: string): TriedRequest | undefined {
  const slash = type === "REGEX" ? 0 : shown.indexOf("/");
  if (!shown.startsWith("/", slash)) return undefined;
  const uri = requestUri(shown.slice(slash), { text: true })?.uri;
  return uri === undefined ? undefined : { shown, uri, text: shown.slice(0, slash) + uri };
}

/** A capture stands where a scheme, a host or the second of two slashes may be. */
function mayEscape(target: string): boolean {
  const start = /^(?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]*[^/\\?#]*/.exec(target)?.[0] ?? "";
  return start.includes("$");
}

function leadsAway(redirect: Redirect, target: string, uri: string, compat: "flecto" | undefined): boolean {
  const item = { id: 1, kind: "redirect", ...redirect } as const;
  const match = { kind: "redirect", item, status: 302, target } as const;
  const [location] = formatAnswer(match, { method: "HEAD", host: "site.example", uri }, { compat }).headers;
  try {
    return new URL(location?.[1] ?? "", "https://site.example/").hostname.endsWith(stranger);
  } catch {
    return false;
  }
}

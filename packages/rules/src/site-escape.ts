import type { Redirect } from "@posthouse/protocol";
import { formatLocation } from "./location.ts";
import { compilePattern } from "./pattern/compiled-pattern.ts";
import type { Pattern } from "./pattern/pattern-parser.ts";
import { sampleText } from "./pattern/sample.ts";
import { substitute } from "./substitution.ts";

const stranger = "evil.example";
const baits = [
  `/${stranger}`,
  `//${stranger}`,
  `${stranger}/`,
  `${stranger}`,
  `https://${stranger}`,
  `.${stranger}`,
  `@${stranger}`,
  `/${stranger}/x`,
  `\\${stranger}`,
];

/**
 * A request that leads a pattern's redirect to a site which its author did not write, or `undefined` when none was
 * found. Every example given was tried.
 */
export function findSiteEscape(redirect: Redirect, pattern: Pattern): string | undefined {
  if (pattern.groups === 0 || !mayEscape(redirect.target)) return undefined;
  const compiled = compilePattern(redirect.source);
  for (let group = 1; group <= Math.min(pattern.groups, 9); group++) {
    if (!redirect.target.includes(`$${group}`)) continue;
    for (const bait of baits) {
      const text = sampleText(pattern.root, group, bait);
      if (redirect.type === "REGEX" && !text.startsWith("/")) continue;
      const captures = compiled.exec(text);
      const target = captures === undefined ? undefined : substitute(redirect.target, captures);
      if (target !== undefined && leadsAway(redirect, target, text)) return text;
    }
  }
  return undefined;
}

/** A capture stands where a scheme, a host or the second of two slashes may be. */
function mayEscape(target: string): boolean {
  const start = /^(?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]*[^/\\?#]*/.exec(target)?.[0] ?? "";
  return start.includes("$");
}

function leadsAway(redirect: Redirect, target: string, text: string): boolean {
  const item = { id: 1, kind: "redirect", ...redirect } as const;
  const uri = text.startsWith("/") ? text : text.slice(Math.max(text.indexOf("/"), 0));
  const location = formatLocation({ kind: "redirect", item, status: 302, target }, uri, "flecto");
  try {
    return new URL(location, "https://site.example/").hostname.endsWith(stranger);
  } catch {
    return false;
  }
}

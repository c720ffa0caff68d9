import type { Redirect } from "@posthouse/protocol";

/**
 * What a request can do to a redirect's target. A template's site (scheme and host) is what stands in it literally;
 * captures may add to a host only characters of hosts, and can never bring a site of their own.
 */

/**
 * The template names its scheme, or behind `//` its host, before any capture. Behind `//` a host of captures alone is
 * one only where the pattern is compared with the host too.
 */
export function hasLiteralSite({ type, target }: Pick<Redirect, "type" | "target">): boolean {
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(target)) return true;
  if (!target.startsWith("//")) return false;
  const authority = authorityOf(target) ?? "";
  return type.startsWith("REGEX")
    ? /[A-Za-z0-9]/.test(authority.replace(/\$./gs, "")) || (type === "REGEX_HOST" && authority !== "")
    : authority !== "";
}

const hostCharacters = "[A-Za-z0-9._~:[\\]-]*";

/**
 * Tells whether captures left the site of a target as its author wrote it: those that stand in the template's authority
 * hold nothing but characters of hosts, or, behind a literal host, begin with what ends an authority.
 */
export function isTargetSafe(
  { type, target: template }: Pick<Redirect, "type" | "target">,
  target: string,
  groups: number,
): boolean {
  if (!template.includes("$") || !hasLiteralSite({ type, target: template })) return true;
  const authority = authorityOf(template);
  if (authority === undefined) return true;
  const literals = literalsOf(authority, groups);
  if (literals.length === 1) return true;
  const begin = siteStart.exec(template)?.[0].length ?? 0;
  const start = escaped(template.slice(0, begin));
  const next = template.slice(begin + authority.length, begin + authority.length + 1);
  const follows = next === "" ? "$" : escaped(next);
  if (new RegExp(`^${start}${literals.map(escaped).join(hostCharacters)}${follows}`).test(target))
    return true;
  // Captures at the end of the authority may be empty and the path follow: `https://example.com$1`.
  const last = literals.findLastIndex((literal) => literal !== "");
  const isOpen =
    last < literals.length - 1 && literals.slice(0, last + 1).some((text) => /[A-Za-z0-9]/.test(text));
  const host = literals
    .slice(0, last + 1)
    .map(escaped)
    .join(hostCharacters);
  return isOpen && new RegExp(`^${start}${host}[/\\\\?#]`).test(target);
}

const siteStart = /^(?:(?:https?|wss?|ftp):[/\\]*|[A-Za-z][A-Za-z0-9+.-]*:\/\/|\/\/[/\\]*)/i;

/** The part in which browsers look for the host; `undefined` where the scheme has none, such as `mailto:`. */
function authorityOf(url: string): string | undefined {
  const start = siteStart.exec(url)?.[0];
  return start === undefined ? undefined : /^[^/\\?#]*/.exec(url.slice(start.length))?.[0];
}

/** The literal texts between the placeholders. */
function literalsOf(text: string, groups: number): string[] {
  const literals: string[] = [];
  let literal = "";
  for (let at = 0; at < text.length; at++) {
    const group = text.charCodeAt(at + 1) - 48;
    if (text[at] === "$" && group >= 1 && group <= groups) {
      literals.push(literal);
      literal = "";
      at += 1;
    } else literal += text[at];
  }
  return [...literals, literal];
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/** Browsers take `\` for `/` and pass over blanks at the start, so all of them become one slash. */
export function singleSlash(text: string): string {
  let at = 0;
  let slashed = false;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x2f || unit === 0x5c) slashed = true;
    else if (unit > 0x20) break;
  }
  return slashed ? `/${text.slice(at)}` : text;
}

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

/** Tells whether captures left the site of a target as its author wrote it. */
export function isTargetSafe(
  { type, target: template }: Pick<Redirect, "type" | "target">,
  target: string,
  groups: number,
): boolean {
  if (!template.includes("$") || !hasLiteralSite({ type, target: template })) return true;
  const authority = authorityOf(target);
  if (authority === undefined) return true;
  if (authority === "") return authorityOf(template) === "";
  if (/^[A-Za-z0-9._~:[\]-]+$/.test(authority)) return true;
  return foreign(authority) === foreign(withoutPlaceholders(authorityOf(template) ?? "", groups));
}

/** The part in which browsers look for the host; `undefined` where the scheme has none, such as `mailto:`. */
function authorityOf(url: string): string | undefined {
  return /^(?:(?:https?|wss?|ftp):[/\\]*|[A-Za-z][A-Za-z0-9+.-]*:\/\/|\/\/[/\\]*)([^/\\?#]*)/i.exec(url)?.[1];
}

function foreign(authority: string): string {
  return authority.replace(/[A-Za-z0-9._~:[\]-]/g, "");
}

function withoutPlaceholders(text: string, groups: number): string {
  let rest = text;
  for (let group = groups; group > 0; group--)
    rest = rest.replaceAll(`$${String.fromCharCode(48 + group)}`, "");
  return rest;
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

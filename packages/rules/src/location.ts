import type { RedirectMatch } from "./rule-set.ts";
import { hasLiteralSite, singleSlash } from "./target.ts";
import { decodePath, findBadEscape, findControl } from "./url-path.ts";

/** The Location of a redirect. */
export function formatLocation(match: RedirectMatch, uri: string, compat: "flecto" | undefined): string {
  const { target } = match;
  if (compat === "flecto") return isRelative(target) ? cleanTarget(target, decodePath(pathOf(uri))) : target;
  if (hasLiteralSite(match.item)) return target;
  return singleSlash(cleanTarget(singleSlash(target), pathOf(uri)));
}

function pathOf(uri: string): string {
  const mark = uri.indexOf("?");
  return mark < 0 ? uri : uri.slice(0, mark);
}

/** A URL reference that can be read and has neither scheme nor host. */
function isRelative(target: string): boolean {
  if (target === "") return true;
  if (findControl(target) >= 0) return false;
  const hash = target.indexOf("#");
  const text = hash < 0 ? target : target.slice(0, hash);
  const mark = text.indexOf("?");
  const front = mark < 0 ? text : text.slice(0, mark);
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(front) || front.startsWith(":")) return false;
  if (front.startsWith("//") && !front.startsWith("///")) {
    const authority = front.slice(2).split("/", 1)[0] ?? "";
    if (authority !== "") return false;
  }
  const firstSegment = front.split("/", 1)[0] ?? "";
  if (firstSegment.includes(":")) return false;
  return findBadEscape(front) < 0 && (hash < 0 || findBadEscape(target.slice(hash)) < 0);
}

function cleanTarget(target: string, requestPath: string): string {
  const directory = requestPath.slice(0, requestPath.lastIndexOf("/") + 1) || "/";
  const whole = target.startsWith("/") ? target : directory + target;
  const mark = whole.indexOf("?");
  const path = mark < 0 ? whole : whole.slice(0, mark);
  const query = mark < 0 ? "" : whole.slice(mark);
  const clean = cleanPath(path);
  return (path.endsWith("/") && !clean.endsWith("/") ? `${clean}/` : clean) + query;
}

/** Removes `.`, `..` and empty segments. */
function cleanPath(path: string): string {
  const rooted = path.startsWith("/");
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") kept.push(segment);
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (!rooted) kept.push("..");
  }
  const joined = (rooted ? "/" : "") + kept.join("/");
  return joined === "" ? "." : joined;
}

import { headerLines } from "../header-lines.ts";
import { addVary, compressible, weakenTag } from "./eligible.ts";

/**
 * Gives a 304 the headers that the 200 in its place would have (RFC 9110, 15.4.5). A 304 seldom says what type its answer
 * has; then the tag of the client's copy tells whether that was compressed here: only so a strong tag becomes weak.
 */
export function completeNotModified(
  headers: string[],
  ifNoneMatch: readonly string[],
  isEncoded: boolean,
): void {
  const [type] = headerLines(headers, "content-type");
  const [tag] = headerLines(headers, "etag");
  const typed = type === undefined ? [...headers, "Content-Type", "text/html"] : headers;
  if (compressible(200, typed) === undefined) return;
  const held = tag === undefined ? [] : ifNoneMatch.flatMap((line) => line.match(/(?:W\/)?"[^"]*"/g) ?? []);
  const holdsEncoded = held.includes(`W/${tag}`);
  if (isEncoded && type === undefined && !holdsEncoded) return;
  const isTagKept = !isEncoded || (held.includes(tag ?? "") && !holdsEncoded);
  if (!isTagKept) weakenTag(headers);
  addVary(headers);
}

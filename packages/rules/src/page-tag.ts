import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { PageMatch } from "./rule-set.ts";

interface KnownTag {
  readonly contentType: string;
  readonly tag: string;
}

const mostKept = 1000;
const mostKeptLength = 16 * 2 ** 20;
const known = new Map<string, KnownTag>();
let keptLength = 0;

/**
 * The entity tag of a page: strong, from its content and content type (RFC 9110 8.8.3). Worked out when a page is
 * first asked for and kept for up to 1,000 pages and 16 Mi characters.
 */
export function pageTag({ contentType, content }: PageMatch): string {
  const found = known.get(content);
  if (found?.contentType === contentType) return found.tag;
  const hash = sha256(utf8ToBytes(`${contentType}\n${content}`));
  const tag = `"${bytesToHex(hash.subarray(0, 16))}"`;
  keep(content, { contentType, tag });
  return tag;
}

function keep(content: string, tag: KnownTag): void {
  if (!known.has(content)) keptLength += content.length;
  if (known.size >= mostKept || keptLength > mostKeptLength) {
    known.clear();
    keptLength = content.length;
  }
  known.set(content, tag);
}

/** Whether an If-None-Match names the tag, or any; weak and strong compare alike (RFC 9110 13.1.2). */
export function isKnownTag(ifNoneMatch: string, tag: string): boolean {
  if (ifNoneMatch.trim() === "*") return true;
  return [...ifNoneMatch.matchAll(/"[^"]*"/g)].some(([given]) => given === tag);
}

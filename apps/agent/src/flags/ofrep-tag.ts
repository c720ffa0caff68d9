/**
 * The ETag of all flags of a user, known without evaluating them: of what the flags and the segments they name are, of
 * who asks, and of the version of this program. Whatever could make another answer makes another tag; and it is the same
 * after a restart.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Flag, FlagUser, Segment, SegmentIndex } from "@posthouse/flags";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

const digests = new WeakMap<Flag | Segment, string>();

/** Of what these flags can answer to anybody; they answer in this order. */
export function flagsDigest(flags: Iterable<Flag>, segments: SegmentIndex): string {
  const hash = createHash("sha256").update(version);
  for (const flag of flags) {
    hash.update(`\n${digestOf(flag)}`);
    for (const id of flag.segmentIds.keys()) {
      const segment = segments.get(id);
      hash.update(segment === undefined ? " none" : ` ${digestOf(segment)}`);
    }
  }
  return hash.digest("base64url");
}

/** In quotes, as it stands in the header. */
export function userTag(flagsDigest: string, { keyId, name, properties }: FlagUser): string {
  return quotedDigest(`${flagsDigest}${JSON.stringify([keyId, name, ...properties])}`);
}

/** The tag of a body that is at hand. */
export function quotedDigest(text: string): string {
  return `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
}

function digestOf(item: Flag | Segment): string {
  const known = digests.get(item);
  if (known !== undefined) return known;
  const digest = createHash("sha256").update(item.json).digest("base64url");
  digests.set(item, digest);
  return digest;
}

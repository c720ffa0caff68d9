import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { branchOf, hashNode, hashRoot, leafOf } from "../src/index.ts";

const sha256 = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();

type Hashes = ReadonlyMap<number, Uint8Array>;

function group(hashes: Hashes, parentOf: (index: number) => number): Map<number, Uint8Array> {
  const groups = new Map<number, { index: number; hash: Uint8Array }[]>();
  for (const [index, hash] of [...hashes].toSorted(([a], [b]) => a - b)) {
    const parent = parentOf(index);
    groups.set(parent, [...(groups.get(parent) ?? []), { index, hash }]);
  }
  return new Map([...groups].map(([parent, children]) => [parent, hashNode(sha256, children)]));
}

function root(hashes: Hashes): string {
  const branches = [...group(group(hashes, leafOf), branchOf)].toSorted(([a], [b]) => a - b);
  return Buffer.from(
    hashRoot(
      sha256,
      branches.map(([index, hash]) => ({ index, hash })),
    ),
  ).toString("hex");
}

const items = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 200_000 }), fc.string()), {
    selector: ([id]) => id,
    maxLength: 60,
  })
  .map((entries) => new Map(entries.map(([id, text]) => [id, sha256(Buffer.from(text))])));

describe("the hash of a snapshot", () => {
  it("is SHA-256 of nothing when there is no item", () => {
    expect(root(new Map())).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("is fixed for a known set: other programs compute it too", () => {
    const hash = sha256(Buffer.from("x"));
    const leaf = sha256(Buffer.concat([Uint8Array.of(1), hash]));
    const branch = sha256(Buffer.concat([Uint8Array.of(1), leaf]));
    const expected = sha256(Buffer.concat([Uint8Array.of(0, 0, 0, 0), branch]));
    expect(root(new Map([[257, hash]]))).toBe(Buffer.from(expected).toString("hex"));
  });

  it("changes with every item added, removed, changed or moved to another id", () => {
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 200_000 }), fc.string(), (before, id, text) => {
        const hash = sha256(Buffer.from(text));
        const after = new Map(before).set(id, hash);
        const same = Buffer.from(before.get(id) ?? []).equals(hash);
        expect(root(after) === root(before)).toBe(same);
        const removed = new Map(after);
        removed.delete(id);
        expect(root(removed)).not.toBe(root(after));
        const moved = new Map(removed).set(id + 200_000, hash);
        expect(root(moved)).not.toBe(root(after));
      }),
    );
  });
});

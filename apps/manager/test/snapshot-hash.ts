import { createHash } from "node:crypto";
import { formatItem, hashNode, hashRoot, itemSchema } from "@posthouse/protocol";

const sha256 = (data: Uint8Array | string): Uint8Array => createHash("sha256").update(data).digest();

/** Recomputes the hash of a snapshot from its item lines, each checked to be canonical. */
export function hashOfLines(lines: readonly string[]): string {
  const hashes = lines.map((line) => {
    const item = itemSchema.parse(JSON.parse(line));
    if (formatItem(item) !== line) throw new Error(`not canonical: ${line}`);
    return { index: item.id, hash: sha256(line) };
  });
  const root = hashRoot(sha256, combine(combine(hashes)));
  return Buffer.from(root).toString("hex");
}

function combine(children: readonly { index: number; hash: Uint8Array }[]) {
  const groups = new Map<number, { index: number; hash: Uint8Array }[]>();
  for (const child of children) {
    const group = groups.get(child.index >>> 8) ?? [];
    group.push(child);
    groups.set(child.index >>> 8, group);
  }
  return [...groups].map(([index, group]) => ({ index, hash: hashNode(sha256, group) }));
}

/** Header and item lines of a snapshot or of changes. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
export function readLines(text: string): { header: any; lines: string[] } {
  const [header = "", ...lines] = text.split("\n");
  if (lines.pop() !== "") throw new Error("the last line is not ended");
  return { header: JSON.parse(header), lines };
}

/** Unicode's simple case folding, as far as JavaScript lets one see it. */

/** Characters that fold to an ordinary letter, but are not the upper or lower case of it. */
const strangers = [
  0xb5, 0x17f, 0x1c5, 0x1c8, 0x1cb, 0x1f2, 0x345, 0x3c2, 0x3d0, 0x3d1, 0x3d5, 0x3d6, 0x3f0, 0x3f1, 0x3f4,
  0x3f5, 0x1c80, 0x1c81, 0x1c82, 0x1c83, 0x1c84, 0x1c85, 0x1c86, 0x1c87, 0x1c88, 0x1e9b, 0x1e9e, 0x1fbe,
  0x2126, 0x212a, 0x212b,
];

const known = new Map<number, readonly number[]>();

/** A character and all that are equal to it without regard to case, smallest first. */
export function caseVariants(point: number): readonly number[] {
  const found = known.get(point);
  if (found !== undefined) return found;
  const variants = findVariants(point);
  if (known.size < 4096) known.set(point, variants);
  return variants;
}

function findVariants(point: number): readonly number[] {
  if (point < 0x41) return [point];
  const isLetter = (point >= 0x41 && point <= 0x5a) || (point >= 0x61 && point <= 0x7a);
  if (point < 0x80 && !isLetter) return [point];
  const character = String.fromCodePoint(point);
  if (point >= 0xd800 && point < 0xe000) return [point];
  const same = new RegExp(`^\\u{${point.toString(16)}}$`, "iu");
  const candidates = new Set([point, ...strangers]);
  for (const text of [character, character.toUpperCase(), character.toLowerCase()]) {
    for (const variant of [text, text.toLowerCase(), text.toUpperCase()]) {
      const code = variant.codePointAt(0);
      if (code !== undefined && String.fromCodePoint(code) === variant) candidates.add(code);
    }
  }
  for (const stranger of strangers) {
    if (!same.test(String.fromCodePoint(stranger))) continue;
    candidates.add(String.fromCodePoint(stranger).toUpperCase().codePointAt(0) ?? point);
    candidates.add(String.fromCodePoint(stranger).toLowerCase().codePointAt(0) ?? point);
  }
  return [...candidates].filter((code) => same.test(String.fromCodePoint(code))).sort((a, b) => a - b);
}

/** The smallest of a character's case variants. */
export function smallestVariant(point: number): number {
  return caseVariants(point)[0] ?? point;
}

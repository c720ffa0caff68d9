import { caseVariants } from "./case-folding.ts";
import {
  type CharSet,
  createCharSet,
  everyCharacter,
  exceptNewline,
  lastPoint,
  setsOverlap,
} from "./char-set.ts";
import type { PatternNode } from "./node.ts";

/**
 * Proves that a backtracking engine runs a pattern in linear time, with RE2's answers, over text without newlines.
 *
 * The pattern is laid out as the few straight paths through it, each a row of characters, loops over one class, and
 * assertions. A loop is *decided* when what must follow cannot stand inside of it: giving characters back then fails
 * at once. A path is linear when at most one loop is undecided (a search that may start anywhere counts as one), and
 * every loop behind it begins after a character that it cannot take, so that its runs never overlap. A loop after
 * which nothing can fail is not retried at all.
 *
 * Loops over more than one character, loops over something that may be empty, and captures inside of a counted repeat
 * are not proven: there RE2 and JavaScript also differ in what they capture. Nor is `\B`, which V8 finds inside of
 * a character of two units.
 */
export function isLinearForBacktracking(root: PatternNode): boolean {
  const paths = layOut(root);
  return paths?.every(isLinearPath) === true;
}

type Atom =
  | { readonly kind: "character"; readonly set: CharSet }
  | { readonly kind: "loop"; readonly set: CharSet; readonly min: number; readonly max: number }
  | { readonly kind: "start" | "end" | "assertion" };

type Path = readonly Atom[];

const mostPaths = 64;
const mostAtoms = 4000;

function layOut(node: PatternNode): readonly Path[] | undefined {
  switch (node.op) {
    case "empty":
      return [[]];
    case "literal":
      return [node.points.map((point) => ({ kind: "character", set: pointSet(point, node.fold) }) as const)];
    case "class":
      return node.set === undefined ? undefined : [[{ kind: "character", set: withNewline(node.set) }]];
    case "capture":
      return layOut(node.sub);
    case "assert":
      if (node.kind === "lineStart" || node.kind === "lineEnd" || node.kind === "notWord") return undefined;
      return [
        [{ kind: node.kind === "textStart" ? "start" : node.kind === "textEnd" ? "end" : "assertion" }],
      ];
    case "alternate":
      return bounded(node.subs.map(layOut).reduce(union, []));
    case "concat":
      return node.subs.map(layOut).reduce<readonly Path[] | undefined>(product, [[]]);
    case "repeat":
      return layOutRepeat(node.sub, node.min, node.max);
  }
}

function layOutRepeat(sub: PatternNode, min: number, max: number): readonly Path[] | undefined {
  const paths = layOut(sub);
  const [only] = paths ?? [];
  if (paths === undefined || only === undefined || paths.some(isNullable)) return undefined;
  const [atom] = only;
  const single =
    (sub.op === "class" || sub.op === "literal") && only.length === 1 && atom?.kind === "character";
  if (min === max && single && atom !== undefined) return bounded([new Array<Atom>(min).fill(atom)]);
  if (single && atom.kind === "character") return [[{ kind: "loop", set: atom.set, min, max }]];
  if (min === 1 && max === 1) return paths;
  if (min === 0 && max === 1) return bounded([...paths, []]);
  if (min !== max || min > 16 || hasCapture(sub)) return undefined;
  return new Array(min).fill(paths).reduce<readonly Path[] | undefined>(product, [[]]);
}

function hasCapture(node: PatternNode): boolean {
  if (node.op === "capture") return true;
  if (node.op === "repeat") return hasCapture(node.sub);
  return (node.op === "concat" || node.op === "alternate") && node.subs.some(hasCapture);
}

function isNullable(path: Path): boolean {
  return path.every((atom) => atom.kind !== "character" && !(atom.kind === "loop" && atom.min > 0));
}

function union(
  left: readonly Path[] | undefined,
  right: readonly Path[] | undefined,
): readonly Path[] | undefined {
  return left === undefined || right === undefined ? undefined : [...left, ...right];
}

function product(
  left: readonly Path[] | undefined,
  right: readonly Path[] | undefined,
): readonly Path[] | undefined {
  if (left === undefined || right === undefined || left.length * right.length > mostPaths) return undefined;
  return bounded(left.flatMap((start) => right.map((end) => [...start, ...end])));
}

function bounded(paths: readonly Path[] | undefined): readonly Path[] | undefined {
  if (paths === undefined || paths.length > mostPaths) return undefined;
  return paths.reduce((sum, path) => sum + path.length, 0) > mostAtoms ? undefined : paths;
}

function isLinearPath(path: Path): boolean {
  let undecided = path[0]?.kind !== "start";
  for (const [index, atom] of path.entries()) {
    if (atom.kind !== "loop" || cannotFailAfter(path, index, atom)) continue;
    if (undecided && !startsApart(path, index, atom.set)) return false;
    if (!isDecided(path, index, atom.set)) {
      if (undecided) return false;
      undecided = true;
    }
  }
  return true;
}

function cannotFailAfter(path: Path, index: number, loop: { set: CharSet; max: number }): boolean {
  const rest = path.slice(index + 1);
  if (rest.every((atom) => atom.kind === "loop" && atom.min === 0)) return true;
  const takesAll = loop.set === everyCharacter && loop.max === Number.POSITIVE_INFINITY;
  return takesAll && rest.length === 1 && rest[0]?.kind === "end";
}

function startsApart(path: Path, index: number, set: CharSet): boolean {
  const before = path[index - 1];
  if (before?.kind === "character") return !setsOverlap(before.set, set);
  return before?.kind === "loop" && before.min > 0 && !setsOverlap(before.set, set);
}

function isDecided(path: Path, index: number, set: CharSet): boolean {
  for (const atom of path.slice(index + 1)) {
    if (atom.kind === "end") return true;
    if (atom.kind !== "character" && atom.kind !== "loop") continue;
    if (setsOverlap(atom.set, set)) return false;
    if (atom.kind === "character" || atom.min > 0) return true;
  }
  return false;
}

function pointSet(point: number, fold: boolean): CharSet {
  return fold ? createCharSet(caseVariants(point).flatMap((variant) => [variant, variant])) : [point, point];
}

/** The text has no newline, so a class that takes all but newlines takes all. */
function withNewline(set: CharSet): CharSet {
  const all =
    set.length === exceptNewline.length && set.every((bound, index) => bound === exceptNewline[index]);
  return all || (set.length === 2 && set[0] === 0 && set[1] === lastPoint) ? everyCharacter : set;
}

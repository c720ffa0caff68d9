import { createAlternate, createConcat } from "./alternation.ts";
import { smallestVariant } from "./case-folding.ts";
import { everyCharacter, exceptNewline } from "./char-set.ts";
import { createClass, parseClass } from "./class-parser.ts";
import { type Cursor, createCursor, PatternSyntaxError, takeMatch, takePoint, takeText } from "./cursor.ts";
import { isAtEnd, parseClassEscape, parseEscape } from "./escape-parser.ts";
import type { PatternNode } from "./node.ts";

export interface Pattern {
  readonly source: string;
  readonly root: PatternNode;
  /** Capture groups, without the whole match. */
  readonly groups: number;
  /** The pattern with its group names taken off, which is all that tells it from `source`. */
  readonly unnamed: string;
}

const largestRepeat = 1000;
const deepest = 1000;

interface Flags {
  fold: boolean;
  multiline: boolean;
  dotAll: boolean;
  swapGreed: boolean;
}

interface State {
  readonly cursor: Cursor;
  groups: number;
  depth: number;
  readonly names: [number, number][];
}

/** Reads a pattern in the syntax of RE2 as Go offers it. Throws PatternSyntaxError. */
export function parsePattern(source: string): Pattern {
  const state: State = { cursor: createCursor(source), groups: 0, depth: 0, names: [] };
  const flags: Flags = { fold: false, multiline: false, dotAll: false, swapGreed: false };
  const root = parseAlternatives(state, flags);
  if (!isAtEnd(state.cursor)) throw new PatternSyntaxError("there is a ) without its (", state.cursor.at);
  let unnamed = "";
  let from = 0;
  for (const [start, end] of state.names) {
    unnamed += source.slice(from, start);
    from = end;
  }
  return { source, root, groups: state.groups, unnamed: unnamed + source.slice(from) };
}

function parseAlternatives(state: State, flags: Flags): PatternNode {
  const branches = [parseSequence(state, flags)];
  while (takeText(state.cursor, "|")) branches.push(parseSequence(state, flags));
  return branches.length === 1 ? (branches[0] as PatternNode) : createAlternate(branches);
}

/** Neighbouring literals are joined, but a repeat takes only what stands right before it. */
function parseSequence(state: State, flags: Flags): PatternNode {
  const { cursor } = state;
  const items: PatternNode[] = [];
  let repeatedAt = -1;
  while (!isAtEnd(cursor)) {
    const start = cursor.at;
    const character = cursor.text[start];
    if (character === "|" || character === ")") break;
    const repeat = parseRepeat(cursor, flags);
    if (repeat !== undefined) {
      const operator = cursor.text.slice(start, cursor.at);
      const sub = items.pop();
      if (sub === undefined)
        throw new PatternSyntaxError(`there is nothing for ${operator} to repeat`, start);
      if (repeatedAt === start) throw new PatternSyntaxError(`${operator} repeats a repetition`, start);
      const node: PatternNode = { op: "repeat", sub, ...repeat };
      if (!isRepeatAllowed(node, largestRepeat))
        throw new PatternSyntaxError("the repeat count is above 1000", start);
      items.push(node);
      repeatedAt = cursor.at;
      continue;
    }
    parseItem(state, flags, items);
  }
  return createConcat(joinLiterals(items));
}

function parseItem(state: State, flags: Flags, items: PatternNode[]): void {
  const { cursor } = state;
  const character = cursor.text[cursor.at];
  if (character === "(") {
    const group = parseGroup(state, flags);
    if (group !== undefined) items.push(group);
  } else if (character === "[") items.push(parseClass(cursor, flags.fold));
  else if (takeText(cursor, "^"))
    items.push({ op: "assert", kind: flags.multiline ? "lineStart" : "textStart" });
  else if (takeText(cursor, "$")) items.push({ op: "assert", kind: flags.multiline ? "lineEnd" : "textEnd" });
  else if (takeText(cursor, ".")) {
    items.push({ op: "class", set: flags.dotAll ? everyCharacter : exceptNewline, dot: true, key: "" });
  } else if (takeText(cursor, "\\A")) items.push({ op: "assert", kind: "textStart" });
  else if (takeText(cursor, "\\z")) items.push({ op: "assert", kind: "textEnd" });
  else if (takeText(cursor, "\\b")) items.push({ op: "assert", kind: "word" });
  else if (takeText(cursor, "\\B")) items.push({ op: "assert", kind: "notWord" });
  else if (takeText(cursor, "\\Q")) {
    const end = cursor.text.indexOf("\\E", cursor.at);
    const quoted = cursor.text.slice(cursor.at, end < 0 ? undefined : end);
    for (const point of quoted) items.push(createLiteral(point.codePointAt(0) ?? 0, flags.fold));
    cursor.at = end < 0 ? cursor.text.length : end + 2;
  } else {
    const part = parseClassEscape(cursor, flags.fold);
    if (part?.set !== undefined) items.push(createClass(part.set));
    else if (part !== undefined) items.push({ op: "class", set: undefined, dot: false, key: part.key });
    else items.push(createLiteral(character === "\\" ? parseEscape(cursor) : takePoint(cursor), flags.fold));
  }
}

/** `*`, `+`, `?`, `{n}`, `{n,}`, `{n,m}` with an optional `?`; a brace that is none of these is a literal. */
function parseRepeat(cursor: Cursor, flags: Flags): { min: number; max: number; lazy: boolean } | undefined {
  const start = cursor.at;
  const found = takeMatch(cursor, /([*+?])|\{(0|[1-9]\d*)(?:(,)(0|[1-9]\d*)?)?\}/y);
  if (found === undefined) return undefined;
  const lazy = takeText(cursor, "?") !== flags.swapGreed;
  if (found[1] === "*") return { min: 0, max: Number.POSITIVE_INFINITY, lazy };
  if (found[1] === "+") return { min: 1, max: Number.POSITIVE_INFINITY, lazy };
  if (found[1] === "?") return { min: 0, max: 1, lazy };
  const min = Number(found[2]);
  const max =
    found[3] === undefined ? min : found[4] === undefined ? Number.POSITIVE_INFINITY : Number(found[4]);
  if (min > largestRepeat || (max !== Number.POSITIVE_INFINITY && max > largestRepeat)) {
    throw new PatternSyntaxError("the repeat count is above 1000", start);
  }
  if (min > max) throw new PatternSyntaxError("the repeat counts run backwards", start);
  return { min, max, lazy };
}

function isRepeatAllowed(node: PatternNode, limit: number): boolean {
  if (node.op === "capture") return isRepeatAllowed(node.sub, limit);
  if (node.op === "concat" || node.op === "alternate")
    return node.subs.every((sub) => isRepeatAllowed(sub, limit));
  if (node.op !== "repeat") return true;
  const unbounded = node.max === Number.POSITIVE_INFINITY;
  const counted = !(unbounded && node.min < 2) && !(node.min === 0 && node.max === 1);
  const count = counted ? (unbounded ? node.min : node.max) : 1;
  if (count === 0) return true;
  return count <= limit && isRepeatAllowed(node.sub, Math.floor(limit / count));
}

/** `(…)`, `(?:…)`, `(?P<n>…)`, `(?<n>…)`, `(?i-s:…)`; `(?i)` changes `flags` and gives nothing. */
function parseGroup(state: State, flags: Flags): PatternNode | undefined {
  const { cursor } = state;
  const start = cursor.at;
  cursor.at += 1;
  let inner = { ...flags };
  let index = 0;
  if (cursor.text[cursor.at] === "?") {
    const nameStart = cursor.at;
    if (/^\?P?</.test(cursor.text.slice(nameStart, nameStart + 3))) {
      if (takeMatch(cursor, /\?P?<[A-Za-z0-9_]+>/y) === undefined) {
        throw new PatternSyntaxError("the group name is not valid, or a look-behind is asked for", start);
      }
      state.names.push([nameStart, cursor.at]);
      state.groups += 1;
      index = state.groups;
    } else {
      const option = takeMatch(cursor, /\?([imsU]*)(?:-([imsU]+))?([:)])/y);
      if (option === undefined) throw new PatternSyntaxError("this kind of group is not offered", start);
      inner = applyFlags(inner, option[1] ?? "", option[2] ?? "");
      if (option[3] === ")") {
        Object.assign(flags, inner);
        return undefined;
      }
    }
  } else {
    state.groups += 1;
    index = state.groups;
  }
  state.depth += 1;
  if (state.depth > deepest) throw new PatternSyntaxError("the groups are nested too deeply", start);
  const sub = parseAlternatives(state, inner);
  state.depth -= 1;
  if (!takeText(cursor, ")")) throw new PatternSyntaxError("the closing ) is missing", start);
  return index === 0 ? sub : { op: "capture", index, sub };
}

function applyFlags(flags: Flags, on: string, off: string): Flags {
  const value = (letter: string, now: boolean): boolean =>
    off.includes(letter) ? false : on.includes(letter) || now;
  return {
    fold: value("i", flags.fold),
    multiline: value("m", flags.multiline),
    dotAll: value("s", flags.dotAll),
    swapGreed: value("U", flags.swapGreed),
  };
}

function createLiteral(point: number, fold: boolean): PatternNode {
  return { op: "literal", points: [fold ? smallestVariant(point) : point], fold };
}

function joinLiterals(items: readonly PatternNode[]): PatternNode[] {
  const joined: PatternNode[] = [];
  for (const item of items) {
    const last = joined.at(-1);
    if (item.op === "literal" && last?.op === "literal" && item.fold === last.fold) {
      joined[joined.length - 1] = { ...last, points: [...last.points, ...item.points] };
    } else joined.push(item);
  }
  return joined;
}

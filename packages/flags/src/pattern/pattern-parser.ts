/**
 * Reads a pattern in the syntax of .NET, without options from outside. What cannot be run in linear time (look-around,
 * references, atomic and conditional groups) or is not offered (class subtraction) is refused as such; what .NET itself
 * refuses is invalid. Throws PatternProblem.
 */
import { parseClass } from "./class-parser.ts";
import { type Cursor, invalid, type PatternOptions, takeMatch, takeText, unsupported } from "./cursor.ts";
import { takeCategory, takeCharacterEscape } from "./escape-parser.ts";
import { type AssertKind, type PatternNode, PatternProblem } from "./node.ts";
import { everyUnit, exceptNewline, foldUnit, type UnitSet } from "./unit-set.ts";

interface State extends Cursor {
  options: PatternOptions;
  groups: number;
  depth: number;
  /** `\10` and above: a reference if there are as many groups, else an octal escape. */
  readonly references: { readonly group: number; readonly position: number }[];
}

const deepest = 200;
const mostRepeats = 1000;
const plain: PatternOptions = {
  ignoreCase: false,
  multiline: false,
  singleLine: false,
  ignoreSpace: false,
};

export function parsePattern(source: string): PatternNode {
  const state: State = { text: source, at: 0, options: plain, groups: 0, depth: 0, references: [] };
  const root = parseAlternatives(state);
  if (state.at < source.length) throw invalid("there is a ) without its (", state.at);
  for (const { group, position } of state.references) {
    if (group <= state.groups) throw unsupported("a back-reference", position);
  }
  return root;
}

function parseAlternatives(state: State): PatternNode {
  const branches = [parseSequence(state)];
  while (takeText(state, "|")) branches.push(parseSequence(state));
  return branches.length === 1 ? (branches[0] as PatternNode) : { op: "alternate", subs: branches };
}

function parseSequence(state: State): PatternNode {
  const items: PatternNode[] = [];
  for (;;) {
    skipBlank(state);
    const character = state.text[state.at];
    if (character === undefined || character === "|" || character === ")") break;
    if (isQuantifier(state)) throw invalid("a quantifier follows nothing", state.at);
    const item = parseItem(state);
    if (item === undefined) continue;
    skipBlank(state);
    items.push(parseQuantifier(state, item));
    skipBlank(state);
    if (isQuantifier(state)) throw invalid("a quantifier follows another", state.at);
  }
  return items.length === 1 ? (items[0] as PatternNode) : { op: "concat", subs: items };
}

/** `(?#…)`, and with the option x also white space and `#…`. */
function skipBlank(state: State): void {
  for (;;) {
    const start = state.at;
    if (state.options.ignoreSpace) takeMatch(state, /(?:[\t-\r ]+|#[^\n]*)+/y);
    if (takeText(state, "(?#")) {
      const end = state.text.indexOf(")", state.at);
      if (end < 0) throw invalid("a comment is not closed", start);
      state.at = end + 1;
    }
    if (state.at === start) return;
  }
}

const counted = /\{(\d+)(?:(,)(\d*))?\}/y;

function isQuantifier({ text, at }: State): boolean {
  if (/^[*+?]/.test(text[at] ?? "")) return true;
  counted.lastIndex = at;
  return counted.test(text);
}

function parseQuantifier(state: State, sub: PatternNode): PatternNode {
  const start = state.at;
  const found = takeMatch(state, /[*+?]/y) ?? takeMatch(state, counted);
  if (found === undefined) return sub;
  const isLazy = takeText(state, "?");
  if (found[0] === "?") return { op: "repeat", sub, min: 0, max: 1, isLazy };
  if (found[1] === undefined) {
    return { op: "repeat", sub, min: found[0] === "+" ? 1 : 0, max: Number.POSITIVE_INFINITY, isLazy };
  }
  const min = Number(found[1]);
  const max = found[2] === undefined ? min : found[3] === "" ? Number.POSITIVE_INFINITY : Number(found[3]);
  if (min > max) throw invalid("the counts run backwards", start);
  if (min > mostRepeats || (max > mostRepeats && max !== Number.POSITIVE_INFINITY)) {
    throw new PatternProblem("PATTERN_TOO_COSTLY", `something is repeated over ${mostRepeats} times`, start);
  }
  return { op: "repeat", sub, min, max, isLazy };
}

function parseItem(state: State): PatternNode | undefined {
  const { options } = state;
  const character = state.text[state.at] as string;
  if (character === "(") return parseGroup(state);
  state.at += 1;
  switch (character) {
    case "[":
      return setNode(parseClass(state, options.ignoreCase));
    case ".":
      return setNode(options.singleLine ? everyUnit : exceptNewline);
    case "^":
      return assertNode(options.multiline ? "lineStart" : "textStart");
    case "$":
      return assertNode(options.multiline ? "lineEnd" : "finalEnd");
    case "\\":
      return parseEscape(state);
    default:
      return unitNode(character.charCodeAt(0), options);
  }
}

const asserts: Readonly<Record<string, AssertKind>> = {
  A: "textStart",
  G: "textStart",
  Z: "finalEnd",
  z: "textEnd",
  b: "word",
  B: "notWord",
};

/** The cursor stands behind the backslash. */
function parseEscape(state: State): PatternNode {
  const start = state.at - 1;
  const assert = takeMatch(state, /[AGZzbB]/y)?.[0];
  if (assert !== undefined) return assertNode(asserts[assert] as AssertKind);
  const category = takeCategory(state);
  if (category !== undefined) return setNode(category);
  if (takeMatch(state, /k[<'{]|<\w+>|'\w+'/y) !== undefined) throw unsupported("a back-reference", start);
  const decimal = /^[1-9]\d*/.exec(state.text.slice(state.at, state.at + 10))?.[0];
  if (decimal?.length === 1) throw unsupported("a back-reference", start);
  if (decimal !== undefined) state.references.push({ group: Number(decimal), position: start });
  return unitNode(takeCharacterEscape(state), state.options);
}

/** `(…)`, `(?:…)`, `(?<n>…)`, `(?'n'…)`, `(?i-s:…)`; `(?i)` changes the options and gives nothing. */
function parseGroup(state: State): PatternNode | undefined {
  const start = state.at;
  const outer = state.options;
  state.at += 1;
  if (takeText(state, "?")) {
    const refused = takeMatch(state, /(<?[=!])|(>)|(\()/y);
    if (refused?.[1] !== undefined) throw unsupported("look-around", start);
    if (refused?.[2] !== undefined) throw unsupported("an atomic group", start);
    if (refused !== undefined) throw unsupported("a conditional group", start);
    if (takeMatch(state, /<\w*-\w+>|'\w*-\w+'/y) !== undefined) throw unsupported("a balancing group", start);
    if (takeMatch(state, /<[\p{L}_]\w*>|<[1-9]\d*>|'[\p{L}_]\w*'|'[1-9]\d*'/uy) !== undefined)
      state.groups += 1;
    else {
      const change = takeMatch(state, /([imnsx+-]*)([:)])/iy);
      if (change === undefined) throw invalid("this kind of group is not known", start);
      state.options = changeOptions(outer, change[1] ?? "");
      if (change[2] === ")") return undefined;
    }
  } else state.groups += 1;
  state.depth += 1;
  if (state.depth > deepest) {
    throw new PatternProblem("PATTERN_TOO_COSTLY", `groups are nested over ${deepest} deep`, start);
  }
  const sub = parseAlternatives(state);
  if (!takeText(state, ")")) throw invalid("the closing ) is missing", start);
  state.depth -= 1;
  state.options = outer;
  return sub;
}

function changeOptions(options: PatternOptions, letters: string): PatternOptions {
  let { ignoreCase, multiline, singleLine, ignoreSpace } = options;
  let isOn = true;
  for (const letter of letters.toLowerCase()) {
    if (letter === "+" || letter === "-") isOn = letter === "+";
    else if (letter === "i") ignoreCase = isOn;
    else if (letter === "m") multiline = isOn;
    else if (letter === "s") singleLine = isOn;
    else if (letter === "x") ignoreSpace = isOn;
  }
  return { ignoreCase, multiline, singleLine, ignoreSpace };
}

function setNode(set: UnitSet): PatternNode {
  return { op: "set", set };
}

function assertNode(kind: AssertKind): PatternNode {
  return { op: "assert", kind };
}

function unitNode(unit: number, { ignoreCase }: PatternOptions): PatternNode {
  return setNode(ignoreCase ? foldUnit(unit) : [unit, unit]);
}

import { type ConfigPath, type ConfigProblem, type ConfigSource, keyOf, nearest } from "./config-source.ts";

const maxDepth = 50;
const maxNodes = 100_000;
const word = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;
const space = /[ \t\r\n]*/y;
const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class NotJson extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** Reads JSON, as strictly as `JSON.parse`, with the places of its keys and values. No variables, no comments. Never throws. */
export function readJsonSource(source: string): ConfigSource {
  const values = new Map<string, number>();
  const keys = new Map<string, number>();
  const problems: ConfigProblem[] = [];
  const json = source.replace(/^\ufeff/, " ");
  let at = 0;
  let nodes = 0;

  const placeOf = (offset: number): ConfigProblem["place"] => {
    const before = json.slice(0, offset);
    return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
  };

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(json)?.[0];
    at += found?.length ?? 0;
    return found;
  }

  /** The character that comes next; an empty text at the end. */
  function next(): string {
    match(space);
    return json[at] ?? "";
  }

  function takes(character: string): boolean {
    if (next() !== character) return false;
    at++;
    return true;
  }

  function fail(expected: string): never {
    const found = next();
    throw new NotJson(at, found === "" ? `it ends where ${expected} is expected` : `expected ${expected}`);
  }

  function readText(expected: string): string {
    if (next() !== '"') return fail(expected);
    const from = at;
    for (at++; json[at] !== '"'; ) {
      const character = json[at] ?? "\n";
      if (character < " " || (character === "\\" && match(escaped) === undefined))
        throw new NotJson(from, "a text that does not end in this line, or holds what has to be escaped");
      if (character !== "\\") at++;
    }
    return JSON.parse(json.slice(from, ++at)) as string;
  }

  /** What is between brackets: `readOne` for each, with commas between them. */
  function readAll(end: "]" | "}", readOne: (index: number) => void): void {
    at++;
    if (takes(end)) return;
    for (let index = 0; ; index++) {
      readOne(index);
      if (takes(end)) return;
      const comma = at;
      if (!takes(",")) fail(`a comma or ${end}`);
      if (next() === end) throw new NotJson(comma, `a comma before ${end}: JSON has none behind the last`);
    }
  }

  function read(path: ConfigPath): void {
    const first = next();
    values.set(keyOf(path), at);
    if (path.length > maxDepth) throw new NotJson(at, "nested too deep");
    if (++nodes > maxNodes) throw new NotJson(at, "too many values");
    if (first === "[") readAll("]", (index) => read([...path, index]));
    else if (first === "{") readAll("}", () => readMember(path));
    else if (first === '"') readText("a text");
    else if (match(word) === undefined)
      fail("a value: a text in double quotes, a number, true, false, null, [ or {");
  }

  function readMember(path: ConfigPath): void {
    match(space);
    const from = at;
    const inner = [...path, readText("a key in double quotes")];
    const key = keyOf(inner);
    if (keys.has(key)) problems.push({ place: placeOf(from), path: inner, message: "is there twice" });
    keys.set(key, from);
    if (!takes(":")) fail("a colon");
    read(inner);
  }

  let value: unknown;
  let broken = false;
  try {
    read([]);
    if (next() !== "") fail("nothing more");
    value = JSON.parse(json);
  } catch (error) {
    if (!(error instanceof NotJson) && !(error instanceof SyntaxError)) throw error;
    const { offset, message } =
      error instanceof NotJson ? error : { offset: 0, message: "it cannot be read" };
    broken = true;
    problems.splice(0, problems.length, {
      place: placeOf(offset),
      path: [],
      message: `not JSON: ${message}`,
    });
  }

  return {
    value,
    problems,
    broken,
    locate(path, of = "value") {
      return placeOf(nearest(path, of, keys, values) ?? 0);
    },
    isExpanded: () => false,
  };
}

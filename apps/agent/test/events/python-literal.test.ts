import { needPackage } from "@posthouse/testkit/services";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePythonLiteral } from "../../src/events/celery/python-literal.ts";
import { pythonRepr, pythonStr } from "../../src/events/celery/python-text.ts";
import type { PythonValue } from "../../src/events/celery/python-value.ts";
import { askPython } from "./python-peer.ts";

const python = await needPackage("python3-minimal", "python3");
if ("missing" in python) console.warn(python.missing);

const literals = [
  ...[
    "()",
    "(1,)",
    "(1)",
    "((1))",
    "[1, 2]",
    "[1, 2,]",
    "(1, 2, )",
    "1, 2",
    "1,",
    " 1",
    "\t(1)",
    "(1) ",
    "(\n1\n)",
  ],
  ...[
    "{}",
    "{1}",
    "{1, 1.0, True}",
    "{'a': 1}",
    "{'a': 1, 'a': 2}",
    "{1: 'a', True: 'b'}",
    "{(1, 2): 3}",
    "set()",
  ],
  ...[
    "None",
    "True",
    "False",
    "...",
    "(1, ...)",
    "[...]",
    "Ellipsis",
    "none",
    "nan",
    "inf",
    "Noned",
    "(None,)",
  ],
  ...[
    "0",
    "00",
    "007",
    "-1",
    "+1",
    "- 1",
    "--1",
    "1_000",
    "1__0",
    "_1",
    "0x1F",
    "0o17",
    "0b101",
    "0xg",
    "1 2",
    "1a",
  ],
  ...[
    "1.0",
    "1.",
    ".5",
    "-.5",
    "1e16",
    "1e15",
    "1E-5",
    "0.0001",
    "0.00001",
    "1.5e300",
    "1e400",
    "-1e400",
    "-0.0",
    "-0",
  ],
  ...[
    "12345678901234567890",
    "-9007199254740993",
    "9007199254740991",
    "9007199254740992",
    "1e22",
    "123456789012345.6",
  ],
  ...["1j", "1.5j", "1+2j", "-1-2j", "(1+2j)", "1+2", "1j+2", "0j", "-0j", "1e3j", "007j", "1 + 2j"],
  ...[
    "'a'",
    '"a"',
    "'it\\'s'",
    `"it's"`,
    `'say "x"'`,
    `'both \\' and "'`,
    "''",
    '""',
    "''''",
    "'''a'''",
    '"""a\nb"""',
  ],
  ...[
    "'a' 'b'",
    "'a'\"b\"",
    "('a' 'b', 'c')",
    "'a' b'b'",
    "b'a' b'b'",
    "u'a'",
    "r'\\n'",
    "rb'\\n'",
    "bR'\\n'",
    "f'a'",
    "ur'a'",
  ],
  ...[
    "'\\n\\r\\t\\\\\\a\\b\\f\\v'",
    "'\\x41'",
    "'\\x4'",
    "'\\101'",
    "'\\8'",
    "'\\d'",
    "'\\u00e9'",
    "'\\u00e'",
    "'\\U0001f600'",
  ],
  ...[
    "'\\U00110000'",
    "'\\udc80'",
    "b'\\xff\\x00abc'",
    "b'é'",
    "b'it\\'s'",
    "b'\\u0041'",
    "b'\\777'",
    "'\\777'",
    "'a\\\nb'",
  ],
  ...[
    "'é中😀'",
    "'\\x00\\x7f\\x80\\xa0\\xad'",
    "'\\u200b\\u2028\\u3000\\ufeff'",
    "('\\x00\\x7f\\x80\\xa0\\xad', '\\u200b\\u2028\\u3000')",
  ],
  ...[
    "(1",
    "1)",
    "[1}",
    "{1: }",
    "{1:2, 3}",
    "{1, 2: 3}",
    "{[1]: 2}",
    "{[1]}",
    "{{}}",
    "(,)",
    "[,]",
    "{,}",
    "(1,,2)",
    "1,,",
  ],
  ...[
    "'a",
    "'a\nb'",
    "a",
    "a.b",
    "f(1)",
    "print('x')",
    "1 if True else 2",
    "[x for x in ()]",
    "-'a'",
    "not 1",
    "\\",
    "",
    " ",
  ],
  ...[
    "22...",
    "(1, 22..., ...)",
    "'abc...",
    "{'a': 'b...",
    "<object at 0x1>",
    "('x', <object at 0x1>)",
    "\0",
    "'\0'",
  ],
  ...[
    "{'a': {'b': [1, (2,), {3}, None, 1.5, 'x', b'y', ...]}}",
    "[[[[[[[[[[1]]]]]]]]]]",
    `${"[".repeat(150)}${"]".repeat(150)}`,
  ],
];

describe("Python literals", () => {
  it.skipIf("missing" in python)("are read and written as Python does", () => {
    compare(literals);
  });

  it.skipIf("missing" in python)("of any shape are read and written as Python does", () => {
    compare(fc.sample(value, { numRuns: 3000, seed: 11 }).map(pythonRepr));
  });

  it.skipIf("missing" in python)("are refused where Python refuses them, when a character is amiss", () => {
    const damaged = fc.record({
      value,
      at: fc.nat(),
      by: fc.constantFrom("", "'", "(", "]", ",", "\\", "0", " ", ".", "-"),
    });
    compare(
      fc.sample(damaged, { numRuns: 3000, seed: 12 }).map(({ value, at, by }) => {
        const text = pythonRepr(value);
        const place = at % (text.length + 1);
        return text.slice(0, place) + by + text.slice(place + 1);
      }),
    );
  });

  it("that Celery cut off are none", () => {
    expect(parsePythonLiteral("([0, 1, 22..., ...])")).toBeUndefined();
    expect(parsePythonLiteral("{'a': 'bcd...', ...}")).toBeUndefined();
  });

  it("never throw, and what is written reads back", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void parsePythonLiteral(text)));
    fc.assert(
      fc.property(value, (value) => {
        const text = pythonRepr(value).replaceAll("Ellipsis", "None");
        const again = parsePythonLiteral(text);
        expect(again === undefined ? undefined : pythonRepr(again)).toBe(text);
      }),
    );
  });

  it("are read in time and memory linear in the text", () => {
    const many = 2_000_000;
    for (const part of [
      "[",
      "(",
      "''",
      "'a'",
      "b'a'",
      "'\\n'",
      "'\\",
      "1",
      "1_",
      "1 ",
      "1.5e3,",
      "-",
      "[1,",
      "{1:",
      "0x",
    ]) {
      parsePythonLiteral(part.repeat(many / part.length));
    }
    for (const part of ["\\n", "\\'", "a", " ", '"']) {
      expect(parsePythonLiteral(`'${part.repeat(many)}'`)).toBeTypeOf("string");
      expect(parsePythonLiteral(`'${part.repeat(many)}`)).toBeUndefined();
    }
    for (const part of ["1,", "'a',", "-1,", "1.5,", "12345678901234567890,", "'\\n',", "b'',", "(),"]) {
      expect(parsePythonLiteral(`[${part.repeat(many / 10)}]`)).toMatchObject({ kind: "list" });
    }
    let key = "('\"',)";
    for (let depth = 0; depth < 150; depth++) key = `(${key},'"')`;
    expect(parsePythonLiteral(`{${key}: 1}`)).toMatchObject({ kind: "dict" });
    expect(parsePythonLiteral(`0x${"f".repeat(many)}`)).toBeUndefined();
  });
});

const sets = /\{[^:]*\}|set\(/;

/** Python's set has an order of its own: of these only whether they are literals is compared. */
function compare(texts: readonly string[]): void {
  const answers = askPython("path" in python ? python.path : "", texts);
  let refused = 0;
  for (const [index, text] of texts.entries()) {
    const parsed = parsePythonLiteral(text);
    const answer = answers[index] ?? null;
    if (answer === null) refused++;
    if (answer === null || parsed === undefined) {
      expect(parsed === undefined, `${JSON.stringify(text)} is a literal`).toBe(answer === null);
    } else if (!sets.test(answer.text)) expect(pythonStr(parsed), text).toBe(answer.text);
  }
  expect(refused).toBeLessThan(texts.length);
}

const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 12 }),
  // Which characters are printable depends on the version of Unicode: none that is young.
  fc.string({ unit: fc.constantFrom(..."aé中😀я\u0301\u200d\u2028\u00ad\ue000\ufeff\u3000"), maxLength: 8 }),
  fc.constantFrom("it's", '"', "\\", "\n", "\x00", "\x7f", "\xa0", "\u2028", "😀", "é", "'\""),
);
const leaf: fc.Arbitrary<PythonValue> = fc.oneof(
  text,
  fc.constantFrom<PythonValue>(null, true, false, { kind: "ellipsis" }),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ kind: "float", value }) as const),
  fc.uint8Array({ maxLength: 6 }).map((value) => ({ kind: "bytes", value }) as const),
);
const { value } = fc.letrec<{ value: PythonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc
      .record({
        kind: fc.constantFrom("list", "tuple") as fc.Arbitrary<"list" | "tuple">,
        items: fc.array(tie("value"), { maxLength: 4 }),
      })
      .map((items) => items as PythonValue),
    fc
      .array(fc.tuple(text, tie("value")), { maxLength: 4 })
      .map((list) => ({ kind: "dict", entries: [...new Map(list)] }) as PythonValue),
  ),
}));

/** Where JSON is asked for, JSON is taken: as strictly as everybody's, with the place of what is wrong. */
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { parseJsonConfig } from "../src/index.ts";
import { readJsonSource } from "../src/json-source.ts";

const schema = z.strictObject({ list: z.array(z.int()), name: z.string().optional() });
const refusal = (text: string, ...files: (string | undefined)[]): { message: string; hint?: string } => {
  try {
    parseJsonConfig(text, files.length === 0 ? "THE_LIST" : files[0], schema);
  } catch (error) {
    return error as Error & { hint?: string };
  }
  throw new Error("it was taken");
};

describe("a configuration in JSON", () => {
  it.each([
    ['{"list": [1,]}', "1:12  not JSON: a comma before ]: JSON has none behind the last"],
    ['{"list": [1],\n}', "1:13  not JSON: a comma before }: JSON has none behind the last"],
    ['{"list": [1 2]}', "1:13  not JSON: expected a comma or ]"],
    ["{list: [1]}", "1:2  not JSON: expected a key in double quotes"],
    ["{\"list\": ['a']}", "1:11  not JSON: expected a value"],
    ['{"list" [1]}', "1:9  not JSON: expected a colon"],
    ['{"list": [01]}', "1:11  not JSON: expected a value"],
    ['{"list": [1]', "1:13  not JSON: it ends where a comma or } is expected"],
    ['{"list": [1]}\n{}', "2:1  not JSON: expected nothing more"],
    ['{"name": "a\nb"}', "1:10  not JSON: a text that does not end in this line"],
    ["list: [1]", "1:1  not JSON: expected a value"],
    ["", "1:1  not JSON: it ends where a value"],
    ["[".repeat(100_000), "1:52  not JSON: nested too deep"],
  ])("is refused at its place: %s", (text, message) => {
    const error = refusal(text);
    expect(error.message).toContain(`THE_LIST:${message}`);
    expect(error.hint).toContain("not JSON");
    expect(error.message).not.toContain("YAML");
  });

  it("never shows what was read, which may be a secret", () => {
    for (const text of [
      '{"name": "amqp://me:s3cret@host',
      '{"name": s3cret}',
      "s3cret",
      '{"name": "s3cret",}',
    ])
      expect(refusal(text).message).not.toContain("s3cret");
  });

  it("names keys with their places, and without them when there is no text of anybody's", () => {
    const text = '\ufeff{\n  "list": ["x"],\n  "nmae": "x",\n  "list": [1]\n}';
    expect(refusal(text).message).toBe(
      'THE_LIST:3:3  nmae: unknown key; did you mean "name"?\nTHE_LIST:4:3  list: is there twice',
    );
    expect(refusal('{"list": ["a"]}').message).toMatch(/^THE_LIST:1:11 {2}list\[0\]: /);
    expect(refusal('{"list": ["a"]}', undefined).message).toMatch(/^list\[0\]: /);
  });

  it("takes what JSON.parse takes, and nothing else", () => {
    const pieces = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"\\u00e9\\/"',
      "1",
      "-0.5e3",
      "true",
      "null",
      " ",
      "\t",
      "\n",
      "01",
      "'",
    ];
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    let taken = 0;
    for (let round = 0; round < 20_000; round++) {
      const text = Array.from({ length: 1 + random(7) }, () => pieces[random(pieces.length)]).join("");
      let expected: unknown;
      let isJson = true;
      try {
        expected = JSON.parse(text);
        taken++;
      } catch {
        isJson = false;
      }
      const { broken, value } = readJsonSource(text);
      expect([text, !broken, value]).toEqual([text, isJson, expected]);
    }
    expect(taken).toBeGreaterThan(500);
  });
});

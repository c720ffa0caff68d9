import { describe, expect, it } from "vitest";
import { parseRules } from "../src/index.ts";

const problems = (text: string, format: "yaml" | "json") =>
  parseRules(text, format).errors.map(({ line, field, message }) => [line, field, message]);

describe("an entry of a rule file that is none", () => {
  it("is told with everything that is wrong, where it stands", () => {
    const yaml = [
      "- type: BASIC",
      "  sorce: /a",
      "  target: /b",
      "  status: 301",
      "- { type: BASIC, source: /right, target: /b, status: 301 }",
      "- { type: FOO, source: 5, target: /c, status: 301 }",
    ].join("\n");
    expect(problems(yaml, "yaml")).toEqual([
      [1, undefined, "source: is missing"],
      [2, "sorce", "sorce: there is no such key"],
      [6, "type", expect.stringMatching(/^type: /)],
      [6, "source", expect.stringMatching(/^source: /)],
    ]);
    expect(parseRules(yaml, "yaml").redirects).toMatchObject([{ source: "/right" }]);
  });

  it("is told by its line in JSON too", () => {
    const json = '[\n{"type":"BASIC","source":"/a","status":"FOUND"},\n7]';
    expect(problems(json, "json")).toEqual([
      [2, undefined, "target: is missing"],
      [3, undefined, expect.stringMatching(/^entry: /)],
    ]);
  });
});

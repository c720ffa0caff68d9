import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runVectors, type VectorCase } from "./conformance.ts";

const cases = JSON.parse(
  readFileSync(new URL("./vectors/flecto.json", import.meta.url), "utf8"),
) as VectorCase[];

describe("the Flecto vectors", () => {
  it("holds in both modes for every case of the matcher", () => {
    const { passed, failures, notRunHere } = runVectors(cases);
    expect(failures).toEqual([]);
    expect(passed + notRunHere).toBe(cases.length);
    expect(passed).toBeGreaterThan(0);
  });

  it("notices a wrong answer", () => {
    const [first] = cases.filter(({ expect: wanted }) => wanted?.kind === "redirect");
    expect(first).toBeDefined();
    if (first !== undefined) expect(runVectors([{ ...first, expect: null }]).failures).toHaveLength(1);
  });
});

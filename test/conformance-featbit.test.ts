import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { featbit } from "../scripts/conformance-featbit.ts";
import { ConformanceFileError } from "../scripts/conformance-suite.ts";

const file = join(import.meta.dirname, "..", "packages", "flags", "test", "vectors", "featbit.json");
interface Case {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  readonly flag: { readonly rules: readonly object[] };
  readonly expect?: object;
  readonly expectError?: string;
}
const vectors = JSON.parse(readFileSync(file, "utf8")) as {
  readonly hashes: readonly { readonly key: string; readonly rollout: number }[];
  readonly tokens: readonly { readonly token: string; readonly valid: boolean }[];
  readonly cases: readonly Case[];
};

describe("FeatBit's cases", () => {
  it("all pass, of every kind", async () => {
    expect(await featbit.run(vectors)).toEqual({ passed: 170, failures: [], leftOut: 0 });
    const groups = new Set(vectors.cases.map(({ group }) => group.replace(/:.*/, "")));
    expect([...groups].toSorted()).toEqual([
      "experiment",
      "flow",
      "operator",
      "property",
      "rollout",
      "segment",
      "upstream-fixture",
      "upstream-snapshot",
    ]);
  });

  it("fail when something else is expected, whatever their group", async () => {
    const kindOf = ({ group, expectError }: Case): string => `${group} ${expectError}`;
    const cases = [...new Map(vectors.cases.toReversed().map((one) => [kindOf(one), one])).values()].map(
      turned,
    );
    const { passed, failures } = await featbit.run({ cases });
    expect(passed).toBe(0);
    expect(failures.map(({ name }) => name)).toEqual(cases.map(({ id, title }) => `${id} ${title}`));
    expect(cases.length).toBe(25);
  });

  it.each(["variationId", "variation", "matchReason", "sendToExperiment", "variationType", "timestamp"])(
    "fail when another %s is expected",
    async (field) => {
      const cases = vectors.cases
        .filter(({ expect: wanted }) => wanted !== undefined)
        .map((one) => ({ ...one, expect: { ...one.expect, [field]: "another" } }));
      expect(await featbit.run({ cases })).toMatchObject({ passed: 0 });
    },
  );

  it("fail for another hash, another token, and a token said to be good or bad", async () => {
    const hashes = vectors.hashes.map((one) => ({ ...one, rollout: one.rollout + 2 ** -31 }));
    const tokens = vectors.tokens.flatMap((one) => [
      { ...one, valid: !one.valid },
      ...(one.valid
        ? [
            { ...one, timestamp: 1 },
            { ...one, envId: "another" },
          ]
        : []),
    ]);
    const { passed, failures } = await featbit.run({ hashes, tokens });
    expect(passed).toBe(0);
    expect(failures).toHaveLength(hashes.length + tokens.length);
  });

  it("are left out and counted where their kind is not known", async () => {
    expect(await featbit.run({ ...vectors, frames: [1, 2, 3] })).toMatchObject({ passed: 170, leftOut: 3 });
  });

  it("are refused in a file of something else", async () => {
    await expect(featbit.run([])).rejects.toThrow(ConformanceFileError);
    await expect(featbit.run({ cases: [{ id: "a" }] })).rejects.toThrow(/cases\.0\.title/);
  });
});

/** Expects what this case does not say: another outcome, or that its condition is broken or whole. */
function turned(one: Case): Case {
  if (one.expect !== undefined) {
    const { expect: _, ...rest } = one;
    return { ...rest, expectError: "none of its conditions is broken" };
  }
  const rules = one.flag.rules.map((rule) => ({ ...rule, conditions: [] }));
  return { ...one, flag: { ...one.flag, rules } };
}

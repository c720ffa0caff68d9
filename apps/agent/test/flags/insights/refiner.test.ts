import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flagsSchema } from "../../../src/config/flags.ts";
import type { InsightsConfig } from "../../../src/config/insights.ts";
import { truncateAddress } from "../../../src/flags/insights/anonymiser.ts";
import { createRefiner } from "../../../src/flags/insights/refiner.ts";
import { eventOf } from "./harness.ts";

const configOf = (insights: Readonly<Record<string, unknown>>): InsightsConfig =>
  flagsSchema.parse({ mode: "manual", api_key: "rp-x", insights }).insights;
const refine = (insights: Readonly<Record<string, unknown>>, event: unknown): unknown => {
  const refined = createRefiner(configOf(insights))(event);
  return typeof refined === "string" ? refined : JSON.parse(refined.json);
};
const hashOf = (text: string): string => createHmac("sha256", "k").update(text).digest("base64url");

describe("anonymisation", () => {
  const user = {
    keyId: "ann@example.com",
    name: "Ann",
    email: "ann@example.com",
    customizedProperties: [
      { name: "Email", value: "ann@example.com" },
      { name: "ip", value: "203.0.113.77" },
      { name: "plan", value: "gold" },
      { name: "age", value: "36" },
      { name: "empty", value: "" },
    ],
  };

  test("each attribute is treated as is said, and all others as others are", () => {
    const anonymise = {
      hash_key: "k",
      attributes: { email: "hash", IP: "truncate_ip", plan: "keep", empty: "hash" },
    };
    expect(refine({ anonymise }, { user, metrics: [{ eventName: "x" }] })).toEqual({
      user: {
        keyId: hashOf("ann@example.com"),
        name: "",
        customizedProperties: [
          { name: "Email", value: hashOf("ann@example.com") },
          { name: "ip", value: "203.0.113.0" },
          { name: "plan", value: "gold" },
          { name: "empty", value: "" },
        ],
      },
      metrics: [{ eventName: "x" }],
    });
  });

  test("a secret stays secret wherever an SDK writes it in the user, in whatever case the names are", () => {
    const anonymise = { hash_key: "k" };
    const place = fc.constantFrom("keyId", "KEYID", "name", "Name", "email", "customizedProperties");
    fc.assert(
      fc.property(fc.array(place), fc.constantFrom("value", "VALUE"), (places, value) => {
        const written = { keyId: "u", ...Object.fromEntries(places.map((name) => [name, "SECRET"])) };
        const listed = [{ name: "p", [value]: "SECRET" }, "SECRET", { name: "q", value: ["SECRET"] }];
        for (const customizedProperties of [listed, "SECRET", { SECRET: "SECRET" }]) {
          const event = { USER: { CustomizedProperties: customizedProperties, ...written }, SECRET: 1 };
          expect(JSON.stringify(refine({ anonymise }, event))).not.toContain("SECRET");
        }
      }),
    );
  });

  test("what is hashed needs a key", () => {
    expect(() => configOf({ anonymise: {} })).toThrow("hash_key");
    expect(() => configOf({ anonymise: { key_id: "keep", attributes: { a: "hash" } } })).toThrow("hash_key");
    expect(configOf({ anonymise: { key_id: "keep" } }).anonymise?.name).toBe("remove");
  });

  test.each([
    ["203.0.113.77", "203.0.113.0"],
    [" 10.1.2.3 ", "10.1.2.0"],
    ["::ffff:203.0.113.77", "203.0.113.0"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1::"],
    ["::1", "::"],
    ["1.2.3", undefined],
    ["3232235521", undefined],
    ["203.0.113.77:8080", undefined],
    ["not an address", undefined],
  ])("of %s as an address %s is left", (text, wanted) => expect(truncateAddress(text)).toBe(wanted));
});

test("without anonymisation an event stays as it is, unknown fields and all", () => {
  const event = { ...eventOf(1), more: { a: [1, null] } };
  expect(refine({}, event)).toEqual(event);
});

test("evaluations of flags that are switched off are left out, metrics stay", () => {
  const insights = { skip_flags: ["noisy"] };
  const variation = (featureFlagKey: string): object => ({ featureFlagKey, variation: { id: "v" } });
  const user = { keyId: "u" };
  expect(refine(insights, { user, variations: [variation("noisy"), variation("quiet")] })).toEqual({
    user,
    variations: [variation("quiet")],
  });
  expect(refine(insights, { user, variations: [variation("noisy")] })).toBe("flag_off");
  const metrics = [{ eventName: "x" }];
  expect(refine(insights, { user, variations: [variation("noisy")], metrics })).toEqual({
    user,
    variations: [],
    metrics,
  });
});

test("a sample holds whole users, always the same, and about as many as is said", () => {
  const some = createRefiner(configOf({ sample: 0.25 }));
  const more = createRefiner(configOf({ sample: 0.5 }));
  let taken = 0;
  for (let number = 0; number < 4000; number++) {
    const [event, later] = [eventOf(number), { user: { keyId: `u-${number}` }, metrics: [] }];
    const isTaken = typeof some(event) !== "string";
    if (isTaken) taken++;
    expect(typeof some(later) !== "string").toBe(isTaken);
    if (isTaken) expect(typeof more(event)).not.toBe("string");
  }
  expect(taken / 4000).toBeGreaterThan(0.2);
  expect(taken / 4000).toBeLessThan(0.3);
  expect(refine({ sample: 0 }, eventOf(1))).toBe("sampled");
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fullRequest, patchRequest, statusReport } from "../../src/replica/featbit/agent-messages.ts";
import { nothingRead } from "../../src/replica/featbit/dump-compiler.ts";
import { emptyState, type FlagState } from "../../src/replica/featbit/flag-state.ts";

const stateOf = (count: number): FlagState => {
  const environments = Array.from({ length: count }, (_, index) => {
    const envId = `226b9bf8-4af3-4ffa-9b01-${String(index).padStart(12, "0")}`;
    return [envId, { envId, secrets: [], reading: nothingRead, mark: 1674885485421 }] as const;
  });
  return { ...emptyState, environments: new Map(environments), dataVersion: 1674885485421 };
};

describe("what the agent says to FeatBit", () => {
  it("asks for what is newer as FeatBit writes it", () => {
    expect(fullRequest).toBe('{"messageType":"data-sync","data":{"timestamp":0}}');
    expect(patchRequest(emptyState)).toBe(fullRequest);
    expect(patchRequest(stateOf(1))).toBe(
      '{"messageType":"data-sync","data":{"timestamp":1674885485421,"envs":[{"envId":"226b9bf8-4af3-4ffa-9b01-000000000000","timestamp":1674885485421}]}}',
    );
  });

  it("asks for everything when that would be longer than FeatBit reads", () => {
    expect(patchRequest(stateOf(100))).not.toBe(fullRequest);
    expect(Buffer.byteLength(patchRequest(stateOf(100)))).toBeLessThanOrEqual(8192);
    expect(patchRequest(stateOf(120))).toBe(fullRequest);
  });

  it("names as many environments in a status as FeatBit reads, each whole", () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
      .map((text) => text.replaceAll(",", "-"));
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 500 }), (names) => {
        const report = statusReport("agent", { serves: names.join(","), dataVersion: 1 });
        expect(Buffer.byteLength(report)).toBeLessThanOrEqual(8192);
        const { serves } = JSON.parse(JSON.parse(report).data.status) as { serves: string };
        expect(names.join(",").startsWith(serves)).toBe(true);
        expect(serves === "" || names.slice(0, serves.split(",").length).join(",") === serves).toBe(true);
      }),
    );
  });
});

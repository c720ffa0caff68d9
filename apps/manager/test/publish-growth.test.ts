import { describe, expect, it } from "vitest";
import { startHarness } from "./manager-harness.ts";
import { measureGrowth } from "./publish-growth.ts";

const bytesPerPublish = 20_000; // of 1,000 publishes, 20 MB

async function growthAt(redirects: number): Promise<number[]> {
  const harness = await startHarness();
  try {
    const rows = Array.from({ length: redirects }, (_, index) => `BASIC\t/old/${index}\t/new/${index}\t301`);
    await harness.request("POST", "/api/v1/namespaces/ns/projects/prj/import", {
      body: `type\tsource\ttarget\tstatus\n${rows.join("\n")}`,
      headers: { "content-type": "text/tab-separated-values" },
    });
    await harness.project("POST", "/publish");
    const ids = rows.map((_, index) => index + 1);
    const { sizes } = await measureGrowth(harness, ids, { rounds: 3, publishes: 40 });
    return sizes.slice(1).map(({ usedBytes }, round) => usedBytes - (sizes[round]?.usedBytes ?? 0));
  } finally {
    await harness.close();
  }
}

describe("publishing one change", () => {
  it("adds the same to the database each time, at any size of the project", {
    timeout: 120_000,
  }, async () => {
    const small = await growthAt(200);
    const large = await growthAt(20_000);
    for (const bytes of [...small, ...large]) expect(bytes).toBeLessThan(40 * bytesPerPublish);
    const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
    expect(sum(large)).toBeLessThan(sum(small) + 40 * bytesPerPublish);
  });
});

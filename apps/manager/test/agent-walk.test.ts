import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createWalkPositions } from "../src/api/walk-positions.ts";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
  const rows = Array.from({ length: 250 }, (_, index) => `BASIC\t/r/${index}\t/t\t301`);
  await harness.request("POST", "/api/v1/namespaces/ns/projects/prj/import", {
    body: `type\tsource\ttarget\tstatus\n${rows.join("\n")}`,
    headers: { "content-type": "text/plain" },
  });
  await harness.project("POST", "/publish");
});
afterAll(() => harness.close());

/** All sources, as Flecto's Go client reads them. */
async function walk(limit: number): Promise<string[]> {
  const sources: string[] = [];
  for (let offset = 0; ; offset += limit) {
    const { json } = await harness.agent("GET", `/redirects?limit=${limit}&offset=${offset}`);
    expect(json).toMatchObject({ Limit: limit, Offset: offset });
    sources.push(...json.Items.map(({ source }: { source: string }) => source));
    if (offset + limit >= json.Total) return sources;
  }
}
const whole = async (): Promise<string[]> =>
  (await harness.agent("GET", "/redirects?limit=0")).json.Items.map(
    ({ source }: { source: string }) => source,
  );

describe("a walk by offsets", () => {
  it("gives every row once, whatever pages others read, also after a publish", async () => {
    expect(await whole()).toHaveLength(250);
    for (const limit of [100, 100, 7, 33]) expect(await walk(limit)).toEqual(await whole());
    await harness.project("DELETE", "/redirects/3");
    await harness.project("POST", "/redirects", redirect("/last"));
    await harness.project("POST", "/publish");
    for (const limit of [100, 7]) expect(await walk(limit)).toEqual(await whole());
    const jump = await harness.agent("GET", "/redirects?limit=2&offset=120");
    expect(jump.json.Items.map(({ source }: { source: string }) => source)).toEqual(
      (await whole()).slice(120, 122),
    );
    expect((await harness.agent("GET", "/redirects?limit=100&offset=900")).json.Items).toEqual([]);
  });

  it("is remembered for the latest pages", () => {
    const positions = createWalkPositions();
    const list = { projectId: 1, version: 2, kind: "redirect" };
    for (let offset = 0; offset <= 20_000; offset += 1) positions.note(list, offset, offset + 5);
    expect([positions.find(list, 0), positions.find(list, 20_000)]).toEqual([undefined, 20_005]);
    expect(positions.find({ ...list, version: 3 }, 20_000)).toBeUndefined();
  });
});

/** The names of forwards in metrics: no two have the same, also across a reload. */
import { createLog, parseConfig } from "@posthouse/service";
import { expect, it } from "vitest";
import { createMetrics } from "../../src/core/metrics.ts";
import { type AgentConfig, agentConfigSchema } from "../../src/index.ts";
import type { Forward } from "../../src/proxy/forward.ts";
import { createForwards } from "../../src/proxy/forwards.ts";
import { createForwardCounters } from "../../src/proxy/metrics.ts";

const context = {
  log: createLog({ format: "json", level: "silent" }),
  forwardCounters: createForwardCounters(createMetrics()),
};

type Site = readonly [listen: string, match: readonly string[], forward: string];

/** The forwards of sites. */
function forwardsOf(
  sites: readonly Site[],
  old?: ReadonlyMap<string, Forward>,
): ReturnType<typeof createForwards> {
  const list = sites.map(([listen, match, forward]) => ({ listen, hosts: [{ match, forward }] }));
  const text = JSON.stringify({ state: "unused", sites: list });
  const config = parseConfig<AgentConfig>(text, "posthouse.yaml", agentConfigSchema, {});
  return createForwards(config, context, old);
}

const namesOf = (forwards: ReadonlyMap<string, Forward>): string[] =>
  [...forwards.values()].map(({ site, upstreams }) => `${site} = ${upstreams[0]?.address.text}`).toSorted();

const [a, b, c] = ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"];

it("are the first host, and the address of the site where another forward has the same", async () => {
  const forwards = await forwardsOf([
    ["127.0.0.1:80", ["shop", "other"], a],
    ["127.0.0.1:81", ["shop"], b],
    ["127.0.0.1:82", ["shop"], a],
    ["127.0.0.1:0", ["shop"], c],
    ["127.0.0.1:0", ["*"], a],
    ["127.0.0.1:0", ["*"], b],
    ["127.0.0.1:0", ["*"], c],
  ]);
  expect(namesOf(forwards)).toEqual([
    `* (127.0.0.1:0) #2 = ${b}`,
    `* (127.0.0.1:0) #3 = ${c}`,
    `* (127.0.0.1:0) = ${a}`,
    `shop (127.0.0.1:0) = ${c}`,
    `shop (127.0.0.1:80) = ${a}`,
    `shop (127.0.0.1:81) = ${b}`,
  ]);
});

it("are the same after a reload as after a start", async () => {
  const [one, two]: [Site, Site] = [
    ["127.0.0.1:80", ["shop"], a],
    ["127.0.0.1:81", ["shop"], b],
  ];
  const alone = await forwardsOf([two]);
  const both = await forwardsOf([one, two], alone);
  expect(namesOf(alone)).toEqual([`shop = ${b}`]);
  expect(namesOf(both)).toEqual([`shop (127.0.0.1:80) = ${a}`, `shop (127.0.0.1:81) = ${b}`]);
  expect(namesOf(both)).toEqual(namesOf(await forwardsOf([one, two])));
  expect(namesOf(await forwardsOf([two], both))).toEqual(namesOf(alone));
});

it("leave the forwards whose name and settings stay as they are", async () => {
  const old = await forwardsOf([["127.0.0.1:81", ["shop"], b]]);
  const forwards = await forwardsOf(
    [
      ["127.0.0.1:80", ["other"], a],
      ["127.0.0.1:81", ["shop"], b],
    ],
    old,
  );
  expect([...forwards.values()]).toContain([...old.values()][0]);
});

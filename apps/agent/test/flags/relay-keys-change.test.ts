import { exampleDump } from "@posthouse/testkit/featbit/example";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { expect, test } from "vitest";
import { flagsSchema } from "../../src/config/flags.ts";
import { apiKey, type FlagsHarness, type RawSdk, startFlags } from "./harness.ts";

const shop = { key: "rp-far", environments: ["shop:prod"] };

async function start(): Promise<FlagsHarness & { readonly far: RawSdk }> {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  const flags = await startFlags({ world, config: { relay_keys: [shop] } });
  flags.load();
  return Object.assign(flags, { far: await connect(flags) });
}

async function connect(flags: FlagsHarness): Promise<RawSdk> {
  const agent = await flags.open("type=relay-proxy&token=rp-far");
  await agent.sync(0);
  return agent;
}

function reload(flags: FlagsHarness, relay_keys: readonly object[]): void {
  const config = { listen: "127.0.0.1:0", mode: "manual", api_key: apiKey, relay_keys };
  flags.listener.configure(flagsSchema.parse(config), flags.source);
}

test("an agent whose key is taken away is told no more, and not let in again", async () => {
  await using flags = await start();
  reload(flags, [{ key: "rp-other" }]);
  expect((await flags.far.closed)[0]).toBe(1001);
  expect((await (await flags.open("type=relay-proxy&token=rp-far")).closed)[0]).toBe(4003);
});

test("an agent whose key is for other environments comes back and gets those", async () => {
  await using flags = await start();
  const { envId } = flags.world.addEnvironment({ projectKey: "shop", envKey: "test" });
  flags.load();
  reload(flags, [{ ...shop, environments: ["shop:test"] }]);
  expect((await flags.far.closed)[0]).toBe(1001);
  const { items } = await (await flags.open("type=relay-proxy&token=rp-far")).sync(0);
  expect(items).toMatchObject([{ envId }]);
});

test("a reload that leaves its key as it was leaves it connected", async () => {
  await using flags = await start();
  reload(flags, [{ key: "rp-other" }, shop]);
  expect(await flags.far.isQuiet()).toBe(true);
});

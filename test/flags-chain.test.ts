/** FeatBit, an agent that has its flags from there, and an agent behind that one: real processes, SDKs at both. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as node from "@featbit/node-server-sdk";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { createFakeFeatbit, type FakeFeatbit } from "@posthouse/testkit/featbit/fake";
import { type FlagsAgent, startFlagsAgent } from "@posthouse/testkit/flags-agent";
import { freePort } from "@posthouse/testkit/services";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const wait = { timeout: 20_000, interval: 50 };
const testMs = 60_000;
const [item] = exampleDump().items;
const envId = item?.envId ?? "";
const sdkKey = item?.secrets.find(({ type }) => type === "server")?.value ?? "";
const user = new node.UserBuilder("u-101").name("Max").custom("visits", "2").build();

let folder: string;
let featbit: FakeFeatbit;
let ports: readonly [number, number];
const cleanUps: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-flags-"));
  featbit = await createFakeFeatbit();
  featbit.world.load(exampleDump());
  ports = [await freePort(), await freePort()];
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await featbit[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function start(name: string, settings: Readonly<Record<string, unknown>>): Promise<FlagsAgent> {
  const agent = await startFlagsAgent({ folder: join(folder, name), flags: settings });
  cleanUps.push(() => agent[Symbol.asyncDispose]());
  return agent;
}

const near = (): Promise<FlagsAgent> =>
  start("near", {
    listen: `127.0.0.1:${ports[0]}`,
    streaming_uri: featbit.streamingUrl,
    api_key: featbit.world.addRelayKey(),
    relay_keys: [{ key: "rp-far", environments: ["shop:prod"] }],
  });

const far = (): Promise<FlagsAgent> =>
  start("far", {
    listen: `127.0.0.1:${ports[1]}`,
    streaming_uri: `ws://127.0.0.1:${ports[0]}`,
    api_key: "rp-far",
    agent_id: "far-1",
  });

function connect(port: number): node.IFbClient {
  const client = new node.FbClientBuilder({
    sdkKey,
    streamingUri: `ws://127.0.0.1:${port}`,
    eventsUri: `http://127.0.0.1:${port}`,
    disableEvents: true,
    logLevel: "none",
  }).build();
  cleanUps.push(() => client.close());
  return client;
}

const says = (client: node.IFbClient, text: string): Promise<void> =>
  vi.waitFor(async () => expect(await client.stringVariation("banner-text", user, "none")).toBe(text), wait);

const turn = (isEnabled: boolean): unknown =>
  featbit.world.patchFlag(envId, "banner-text", { isEnabled, disabledVariationId: "b-b" });

test(
  "a change travels through both, with FeatBit away in between",
  async () => {
    const first = await near();
    await far();
    const clients = ports.map(connect);
    for (const client of clients) await says(client, "Welcome");
    turn(false);
    for (const client of clients) await says(client, "Hello again");
    await vi.waitFor(async () => {
      const { agents, relays } = (await first.status()).flags;
      expect(relays).toEqual([{ scope: "shop:prod", sessions: 1 }]);
      expect(JSON.parse(agents["far-1"].status)).toMatchObject({ serves: "shop:prod" });
    }, wait);
    await featbit.refuse();
    turn(true);
    await featbit.comeBack();
    for (const client of clients) await says(client, "Welcome");
  },
  testMs,
);

test(
  "agents and SDKs that start before FeatBit, the last in the row first",
  async () => {
    await featbit.refuse();
    const clients = ports.map(connect);
    await far();
    await near();
    await featbit.comeBack();
    for (const client of clients) await says(client, "Welcome");
  },
  testMs,
);

test(
  "an agent that starts again while FeatBit is away serves what it had",
  async () => {
    const first = await near();
    const [client] = ports.map(connect);
    if (client === undefined) return;
    turn(false);
    await says(client, "Hello again");
    await vi.waitFor(
      async () => expect((await first.status()).flags.snapshot.writes).toBeGreaterThan(0),
      wait,
    );
    await first.stop("SIGTERM");
    await featbit.refuse();
    const again = await near();
    const late = connect(ports[0]);
    await says(late, "Hello again");
    expect(await fetch(`${again.url}/health/readiness`).then((answer) => answer.text())).toBe("Degraded");
    turn(true);
    await featbit.comeBack();
    await says(client, "Welcome");
    await says(late, "Welcome");
  },
  testMs,
);

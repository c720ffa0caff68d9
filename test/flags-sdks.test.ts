/** FeatBit's published SDKs and a real agent process. None of the SDKs is ever started again. */
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as node from "@featbit/node-server-sdk";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { pressSync } from "@posthouse/testkit/featbit/portal-sync";
import { createSecret } from "@posthouse/testkit/featbit/secrets";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { type FlagsAgent, startFlagsAgent } from "@posthouse/testkit/flags-agent";
import { freePort } from "@posthouse/testkit/services";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

// Its ES modules are for bundlers: Node cannot load them.
const browser: typeof import("@featbit/js-client-sdk") = createRequire(import.meta.url)(
  "@featbit/js-client-sdk",
);

const key = "rp-this-agent";
const wait = { timeout: 20_000, interval: 50 };
const testMs = 60_000;
const [item] = exampleDump().items;
const envId = item?.envId ?? "";
const segmentId = item?.segments[0]?.id ?? "";
const secretOf = (type: string): string => item?.secrets.find((each) => each.type === type)?.value ?? "";

let folder: string;
let listen: string;
let agent: FlagsAgent;
let world: FeatbitWorld;
const cleanUps: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-flags-"));
  listen = `127.0.0.1:${await freePort()}`;
  world = new FeatbitWorld();
  world.load(exampleDump());
  world.addRelayKey(undefined, key);
  const stored = new Map<string, string>();
  // Left there: a client that was closed may still write.
  vi.stubGlobal("localStorage", {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, text: string) => stored.set(name, text),
  });
  await start();
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await agent[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  agent = await startFlagsAgent({ folder, flags: { listen, mode: "manual", api_key: key } });
}

async function sync(): Promise<void> {
  expect((await pressSync(world, agent.url, key)).status).toBe(200);
}

const max = new node.UserBuilder("u-101").name("Max").custom("visits", "2").build();
// Node's SDK throws on a condition on what the user does not have.
const tester = new node.UserBuilder("u-200").name("Tess").custom("email", "tess@example.org").build();

interface Options {
  readonly sdkKey?: string;
  readonly polling?: boolean;
}

function startNode({ sdkKey = secretOf("server"), polling = false }: Options = {}): node.IFbClient {
  const client = new node.FbClientBuilder({
    sdkKey,
    streamingUri: `ws://${listen}`,
    eventsUri: `http://${listen}`,
    pollingUri: `http://${listen}`,
    ...(polling && { dataSyncMode: node.DataSyncModeEnum.POLLING, pollingInterval: 300 }),
    disableEvents: true,
    logLevel: "none",
  } as ConstructorParameters<typeof node.FbClientBuilder>[0]).build();
  cleanUps.push(() => client.close());
  return client;
}

type BrowserClient = ReturnType<InstanceType<typeof browser.FbClientBuilder>["build"]>;

function startBrowser({ sdkKey = secretOf("client"), polling = false }: Options = {}): BrowserClient {
  const client = new browser.FbClientBuilder({
    sdkKey,
    streamingUri: `ws://${listen}`,
    eventsUri: `http://${listen}`,
    pollingUri: `http://${listen}`,
    ...(polling && { dataSyncMode: "polling", pollingInterval: 300 }),
    user: { keyId: "u-101", name: "Max", customizedProperties: [{ name: "visits", value: "2" }] },
    disableEvents: true,
    logLevel: "none",
  } as ConstructorParameters<typeof browser.FbClientBuilder>[0]).build();
  cleanUps.push(() => client.close());
  return client;
}

const banner = (text: string) => ({
  onNode: (client: node.IFbClient) =>
    vi.waitFor(async () => expect(await client.stringVariation("banner-text", max, "none")).toBe(text), wait),
  inBrowser: (client: BrowserClient) =>
    vi.waitFor(async () => expect(await client.variation("banner-text", "none")).toBe(text), wait),
});

async function both(text: string, server: node.IFbClient, client: BrowserClient): Promise<void> {
  await banner(text).onNode(server);
  await banner(text).inBrowser(client);
}

const turnOff = (): unknown =>
  world.patchFlag(envId, "banner-text", { isEnabled: false, disabledVariationId: "b-b" });

test.each(["streaming", "polling"])(
  "%s: first start, a flag changes, a segment changes",
  async (mode) => {
    await sync();
    const polling = mode === "polling";
    const [server, client] = [startNode({ polling }), startBrowser({ polling })];
    await Promise.all([server.waitForInitialization(), client.waitForInitialization()]);
    await both("Welcome", server, client);
    turnOff();
    await sync();
    await both("Hello again", server, client);
    expect(await server.boolVariation("new-checkout", tester, true)).toBe(false);
    world.patchSegment(envId, segmentId, { included: ["u-200"], excluded: ["u-101"] });
    await sync();
    await vi.waitFor(async () => {
      const detail = await server.boolVariationDetail("new-checkout", tester, false);
      expect(detail).toMatchObject({ value: true, reason: "match rule Beta testers" });
    }, wait);
    await client.identify({ keyId: "u-200", name: "Tess", customizedProperties: [] });
    await vi.waitFor(async () => {
      const detail = client.variationDetail("new-checkout", false);
      expect(detail).toMatchObject({ value: true, reason: "Beta testers" });
    }, wait);
  },
  testMs,
);

test(
  "a segment alone changes what a client SDK has, and what one gets that comes back",
  async () => {
    await sync();
    const client = startBrowser();
    await client.waitForInitialization();
    expect(await client.variation("new-checkout", false)).toBe(true);
    const dump: { items: readonly { segments: readonly object[] }[] } = structuredClone(world.dump(key));
    Object.assign(dump.items[0]?.segments[0] ?? {}, {
      included: ["u-101"],
      updatedAt: new Date().toISOString(),
    });
    const answer = await fetch(`${agent.url}/api/public/proxy/bootstrap`, {
      method: "POST",
      headers: { authorization: key, "content-type": "application/json" },
      body: JSON.stringify(dump),
    });
    expect(answer.status).toBe(200);
    await vi.waitFor(async () => {
      const { reason } = client.variationDetail("new-checkout", false);
      expect(reason).toBe("Beta testers");
    }, wait);
  },
  testMs,
);

test(
  "SDKs that came before the data are ready once it is there",
  async () => {
    const [server, client] = [startNode(), startBrowser()];
    await vi.waitFor(
      async () =>
        expect(
          await agent.metric('posthouse_flags_sessions_refused_total{cause="not_ready"}'),
        ).toBeGreaterThan(1),
      wait,
    );
    expect(server.initialized()).toBe(false);
    await sync();
    await both("Welcome", server, client);
  },
  testMs,
);

// The JS SDK 4.2.15 polls no more after the first answer that is not 200, whatever it is.
test(
  "an SDK that polls before the data is there gets it later",
  async () => {
    const server = startNode({ polling: true });
    expect(server.initialized()).toBe(false);
    await sync();
    await banner("Welcome").onNode(server);
  },
  testMs,
);

test.each(["SIGTERM", "SIGKILL"] as const)(
  "the agent restarts after %s, with other data",
  async (signal) => {
    await sync();
    const [server, client] = [startNode(), startBrowser()];
    await Promise.all([server.waitForInitialization(), client.waitForInitialization()]);
    await agent.stop(signal);
    turnOff();
    await both("Welcome", server, client);
    await start();
    await sync();
    await both("Hello again", server, client);
  },
  testMs,
);

test(
  "a wrong secret is refused, and the others are served",
  async () => {
    await sync();
    const wrong = startNode({ sdkKey: createSecret(envId) });
    const right = startNode();
    await banner("Welcome").onNode(right);
    await vi.waitFor(
      async () =>
        expect(await agent.metric('posthouse_flags_sessions_refused_total{cause="unknown_key"}')).toBe(1),
      wait,
    );
    expect(wrong.initialized()).toBe(false);
    expect(await wrong.stringVariation("banner-text", max, "none")).toBe("none");
  },
  testMs,
);

test(
  "settings change without an SDK noticing",
  async () => {
    await sync();
    const [server, client] = [startNode(), startBrowser()];
    await Promise.all([server.waitForInitialization(), client.waitForInitialization()]);
    await agent.reload({ listen, mode: "manual", api_key: key, token_tolerance: "2m" });
    await agent.process.printed(/configuration reloaded/);
    turnOff();
    await sync();
    await both("Hello again", server, client);
    const { environments } = (await agent.status()).flags;
    expect(environments[0].sessions).toEqual({ server: 1, client: 1, relay: 0 });
  },
  testMs,
);

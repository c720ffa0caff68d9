/** OpenFeature's published SDKs and OFREP providers, and a real agent process. None of them is ever started again. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import * as server from "@openfeature/server-sdk";
import * as web from "@openfeature/web-sdk";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { pressSync } from "@posthouse/testkit/featbit/portal-sync";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { type FlagsAgent, startFlagsAgent } from "@posthouse/testkit/flags-agent";
import { freePort } from "@posthouse/testkit/services";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const key = "rp-this-agent";
const wait = { timeout: 20_000, interval: 100 };
const testMs = 60_000;
const [item] = exampleDump().items;
const envId = item?.envId ?? "";
const secretOf = (type: string): string => item?.secrets.find((each) => each.type === type)?.value ?? "";
const max = { targetingKey: "u-101", name: "Max", visits: 2 };

let folder: string;
let listen: string;
let agent: FlagsAgent;
let world: FeatbitWorld;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-openfeature-"));
  listen = `127.0.0.1:${await freePort()}`;
  world = new FeatbitWorld();
  world.load(exampleDump());
  world.addRelayKey(undefined, key);
  await start();
  await sync();
});

afterEach(async () => {
  await server.OpenFeature.close();
  await web.OpenFeature.close();
  await agent[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  agent = await startFlagsAgent({ folder, flags: { listen, mode: "manual", api_key: key } });
}

async function sync(): Promise<void> {
  expect((await pressSync(world, agent.url, key)).status).toBe(200);
}

const turnOff = (): unknown =>
  world.patchFlag(envId, "banner-text", { isEnabled: false, disabledVariationId: "b-b" });

test(
  "the server SDK: typed values with variant and reason, a change, an agent that was away",
  async () => {
    const headers: [string, string][] = [["Authorization", `Bearer ${secretOf("server")}`]];
    await server.OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: `http://${listen}`, headers }));
    const client = server.OpenFeature.getClient();
    expect(await client.getBooleanDetails("new-checkout", false, max)).toMatchObject({
      value: true,
      variant: "v-on",
      reason: "SPLIT",
    });
    expect(await client.getStringDetails("banner-text", "none", max)).toMatchObject({
      value: "Welcome",
      variant: "b-a",
      reason: "DEFAULT",
      flagMetadata: { matchReason: "default", variationType: "string" },
    });
    const returning = { targetingKey: "u-100", visits: 4, country: "fr" };
    expect(await client.getStringDetails("banner-text", "none", returning)).toMatchObject({
      value: "Hello again",
      reason: "TARGETING_MATCH",
      flagMetadata: { matchReason: "Returning" },
    });
    expect(await client.getStringDetails("no-such-flag", "none", max)).toMatchObject({
      value: "none",
      errorCode: "FLAG_NOT_FOUND",
    });
    expect(await client.getStringDetails("banner-text", "none", {})).toMatchObject({
      errorCode: "TARGETING_KEY_MISSING",
    });
    expect(await client.getNumberDetails("banner-text", 7, max)).toMatchObject({
      value: 7,
      errorCode: "TYPE_MISMATCH",
    });
    turnOff();
    await sync();
    expect(await client.getStringDetails("banner-text", "none", max)).toMatchObject({
      value: "Hello again",
      reason: "DISABLED",
    });
    await agent.stop();
    expect(await client.getStringValue("banner-text", "none", max)).toBe("none");
    await start();
    await sync();
    await vi.waitFor(
      async () => expect(await client.getStringValue("banner-text", "none", max)).toBe("Hello again"),
      wait,
    );
  },
  testMs,
);

test(
  "the web SDK: values, a change, another user, an agent that was away",
  async () => {
    const statuses: number[] = [];
    const counting: typeof fetch = async (...args) => {
      const answer = await fetch(...args);
      statuses.push(answer.status);
      return answer;
    };
    await web.OpenFeature.setContext(max);
    await web.OpenFeature.setProviderAndWait(
      new OFREPWebProvider({
        baseUrl: `http://${listen}`,
        fetchImplementation: counting,
        headers: [["X-API-Key", secretOf("client")]],
        pollInterval: 200,
        cacheMode: "disabled",
      }) as web.Provider,
    );
    const client = web.OpenFeature.getClient();
    expect(client.getBooleanValue("new-checkout", false)).toBe(true);
    expect(client.getStringDetails("banner-text", "none")).toMatchObject({
      value: "Welcome",
      variant: "b-a",
    });
    await vi.waitFor(() => expect(statuses).toContain(304), wait);
    turnOff();
    await sync();
    await vi.waitFor(() => expect(client.getStringValue("banner-text", "none")).toBe("Hello again"), wait);
    await web.OpenFeature.setContext({ targetingKey: "tester-9", email: "x@example.com" });
    expect(client.getBooleanDetails("new-checkout", true)).toMatchObject({ value: false, reason: "SPLIT" });
    await agent.stop();
    world.patchFlag(envId, "banner-text", { isEnabled: true });
    await start();
    await sync();
    await vi.waitFor(() => expect(client.getStringValue("banner-text", "none")).toBe("Welcome"), wait);
  },
  testMs,
);

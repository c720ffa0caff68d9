/** What SDKs report, through a real agent process to a fake FeatBit. */
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as node from "@featbit/node-server-sdk";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { createFakeFeatbit, type FakeFeatbit } from "@posthouse/testkit/featbit/fake";
import { type FlagsAgent, startFlagsAgent } from "@posthouse/testkit/flags-agent";
import { freePort } from "@posthouse/testkit/services";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

// Its ES modules are for bundlers: Node cannot load them.
const browser: typeof import("@featbit/js-client-sdk") = createRequire(import.meta.url)(
  "@featbit/js-client-sdk",
);

const key = "rp-this-agent";
const wait = { timeout: 30_000, interval: 100 };
const testMs = 90_000;
const [item] = exampleDump().items;
const secretOf = (type: string): string => item?.secrets.find((each) => each.type === type)?.value ?? "";

let folder: string;
let listen: string;
let featbit: FakeFeatbit;
let agent: FlagsAgent;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-insights-"));
  listen = `127.0.0.1:${await freePort()}`;
  featbit = await createFakeFeatbit();
  featbit.world.load(exampleDump());
  featbit.world.addRelayKey(undefined, key);
});

afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await featbit[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function start(insights: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const { streamingUrl, eventUrl } = featbit;
  agent = await startFlagsAgent({
    folder,
    flags: {
      listen,
      streaming_uri: streamingUrl,
      api_key: key,
      agent_id: "insights-agent",
      insights: { event_uri: eventUrl, ...insights },
    },
  });
  await vi.waitFor(async () => expect((await agent.status()).flags.environments).toHaveLength(1), wait);
}

/** Users of all events that FeatBit took, by the key they came with. */
function taken(authorization: string): string[] {
  return featbit.insights
    .filter((request) => request.status === 200 && request.authorization === authorization)
    .flatMap(({ body }) => (JSON.parse(body) as { user: { keyId: string } }[]).map(({ user }) => user.keyId));
}

/** The status, or undefined when nobody answered. */
async function track(keyId: string): Promise<number | undefined> {
  const event = { user: { keyId, name: keyId, customizedProperties: [] }, metrics: [] };
  try {
    const answer = await fetch(`http://${listen}/api/public/insight/track`, {
      method: "POST",
      headers: { authorization: secretOf("server"), "content-type": "application/json" },
      body: JSON.stringify([event]),
      signal: AbortSignal.timeout(10_000),
    });
    await answer.body?.cancel();
    return answer.status;
  } catch {
    return undefined;
  }
}

test(
  "kill -9 while events arrive, again and again: what was answered with 200 reaches FeatBit",
  async () => {
    featbit.faults.insights = { status: 503 };
    await start();
    const promised: string[] = [];
    let isOver = false;
    const senders = Array.from({ length: 4 }, async (_, sender) => {
      for (let number = 0; !isOver; number++) {
        const keyId = `${sender}-${number}`;
        if ((await track(keyId)) === 200) promised.push(keyId);
        else await sleep(20);
      }
    });
    for (let round = 0; round < 4; round++) {
      const before = promised.length;
      await vi.waitFor(() => expect(promised.length).toBeGreaterThan(before + 50), wait);
      if (round === 2) featbit.faults.insights = undefined; // dies while it delivers, too
      await sleep(Math.random() * 400);
      await agent.stop("SIGKILL");
      await start();
    }
    isOver = true;
    await Promise.all(senders);
    await vi.waitFor(() => {
      const there = new Set(taken(secretOf("server")));
      expect(promised.filter((keyId) => !there.has(keyId))).toEqual([]);
    }, wait);
    expect(promised.length).toBeGreaterThan(200);
    await vi.waitFor(
      async () => expect(await agent.metric("posthouse_flags_insights_queue_events")).toBe(0),
      wait,
    );
  },
  testMs,
);

test(
  "FeatBit's SDKs go on reporting while FeatBit refuses everything, and all arrives when it is back",
  async () => {
    featbit.faults.insights = { status: 403 };
    await start();
    vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => {} });
    const options = {
      streamingUri: `ws://${listen}`,
      eventsUri: `http://${listen}`,
      flushInterval: 200,
      logLevel: "none",
    };
    const server = new node.FbClientBuilder({
      ...options,
      sdkKey: secretOf("server"),
    } as ConstructorParameters<typeof node.FbClientBuilder>[0]).build();
    const client = new browser.FbClientBuilder({
      ...options,
      sdkKey: secretOf("client"),
      user: { keyId: "browser-user", name: "B", customizedProperties: [] },
    } as ConstructorParameters<typeof browser.FbClientBuilder>[0]).build();
    try {
      await server.waitForInitialization();
      await client.waitForInitialization();
      const evaluate = async (keyId: string): Promise<void> => {
        const user = new node.UserBuilder(keyId)
          .name("N")
          .custom("visits", "1")
          .custom("email", "a@b.c")
          .build();
        await server.stringVariation("banner-text", user, "none");
        await client.variation("banner-text", "none");
        client.track(`purchase-${keyId}`, 9.5);
      };
      await evaluate("first");
      await vi.waitFor(
        async () => expect((await agent.status()).flags.insights.held.length).toBeGreaterThan(0),
        wait,
      );
      await evaluate("second");
      await vi.waitFor(async () => expect((await agent.status()).flags.insights.queue.events).toBe(6), wait);
      expect(featbit.insights.filter(({ status }) => status === 200)).toEqual([]);
      featbit.faults.insights = undefined;
      await agent.stop(); // a held key is tried again after half a minute, or at once by the next start
      await start();
      await vi.waitFor(() => {
        expect(taken(secretOf("server"))).toEqual(["first", "second"]);
        expect(taken(secretOf("client"))).toEqual(Array.from({ length: 4 }, () => "browser-user"));
      }, wait);
      await evaluate("third");
      await vi.waitFor(() => expect(taken(secretOf("server"))).toContain("third"), wait);
    } finally {
      await Promise.all([server.close(), client.close()]);
    }
  },
  testMs,
);

test(
  "what is kept is anonymised, and fetched from the admin address",
  async () => {
    await start({ mode: "keep", event_uri: undefined, anonymise: { hash_key: "k" } });
    expect(await track("ann@example.com")).toBe(200);
    const text = await (await fetch(`${agent.admin}/flags/insights`)).text();
    expect(JSON.parse(text)).toMatchObject({ environment: "shop:prod", event: { user: { name: "" } } });
    expect(text).not.toContain("ann");
    expect(featbit.insights).toEqual([]);
    expect((await fetch(`${agent.admin}/flags/insights?after=x`)).status).toBe(400);
  },
  testMs,
);

import { createRequire } from "node:module";
import * as node from "@featbit/node-server-sdk";
import { afterEach, expect, test, vi } from "vitest";
import { createFakeFeatbit, type FakeFeatbit } from "../../src/featbit/fake.ts";
import { makeFlags, makeUser } from "../../src/featbit/generate.ts";
import type { Environment } from "../../src/featbit/world.ts";

// Its ES modules are for bundlers: Node cannot load them.
const browser: typeof import("@featbit/js-client-sdk") = createRequire(import.meta.url)(
  "@featbit/js-client-sdk",
);

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(): Promise<{
  featbit: FakeFeatbit;
  environment: Environment;
  secret(type: string): string;
}> {
  const featbit = await createFakeFeatbit();
  cleanUps.push(() => featbit[Symbol.asyncDispose]());
  const { featureFlags: flags, segments } = makeFlags(4, { rules: 0 });
  const environment = featbit.world.addEnvironment({ flags, segments });
  const secret = (type: string) => environment.secrets.find((each) => each.type === type)?.value ?? "";
  return { featbit, environment, secret };
}

const wait = { timeout: 10_000 };

test("the Node server SDK gets its flags, a change, and sends insights", async () => {
  const { featbit, environment, secret } = await start();
  const client = new node.FbClientBuilder({
    sdkKey: secret("server"),
    streamingUri: featbit.streamingUrl,
    eventsUri: featbit.eventUrl,
    flushInterval: 200,
    logLevel: "none",
  }).build();
  cleanUps.push(() => client.close());
  await client.waitForInitialization();
  const user = new node.UserBuilder("user-1").name("User 1").build();
  const flag = featbit.world.patchFlag(environment.envId, "flag-0", { isEnabled: false });
  await vi.waitFor(async () => {
    const detail = await client.boolVariationDetail("flag-0", user, true);
    expect(detail).toMatchObject({ value: false, reason: "flag off" });
  }, wait);
  expect(flag.isEnabled).toBe(false);
  await vi.waitFor(() => expect(featbit.insights.at(-1)).toMatchObject({ status: 200 }), wait);
  expect(featbit.insights[0]).toMatchObject({ authorization: secret("server") });
  expect(featbit.insights[0]?.body).toContain('"featureFlagKey":"flag-0"');
});

test("the JS client SDK gets its flags, a change, and reconnects", async () => {
  const stored = new Map<string, string>();
  // Left there: a client that was closed may still write.
  vi.stubGlobal("localStorage", {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, text: string) => stored.set(name, text),
  });
  const { featbit, environment, secret } = await start();
  const target = featbit.world.flag(environment.envId, "flag-1");
  const on = target.variations.at(-1);
  featbit.world.patchFlag(environment.envId, "flag-1", {
    targetUsers: [{ keyIds: ["user-3"], variationId: on?.id ?? "" }],
  });
  const { keyId, name, customizedProperties } = makeUser(3);
  const client = new browser.FbClientBuilder({
    sdkKey: secret("client"),
    streamingUri: featbit.streamingUrl,
    eventsUri: featbit.eventUrl,
    user: { keyId, name, customizedProperties: [...customizedProperties] },
    disableEvents: true,
    logLevel: "none",
  }).build();
  cleanUps.push(() => client.close());
  await client.waitForInitialization();
  expect(await client.variation("flag-1", "")).toBe(on?.value);
  featbit.world.patchFlag(environment.envId, "flag-1", { targetUsers: [] });
  await vi.waitFor(async () => expect(await client.variation("flag-1", "")).not.toBe(on?.value), wait);
  featbit.close(1011);
  featbit.world.patchFlag(environment.envId, "flag-1", {
    isEnabled: false,
    disabledVariationId: on?.id ?? "",
  });
  await vi.waitFor(async () => expect(await client.variation("flag-1", "")).toBe(on?.value), wait);
});

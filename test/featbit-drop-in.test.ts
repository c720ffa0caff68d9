/** `posthouse agent` with FeatBit Agent's environment variables, and nothing else. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as node from "@featbit/node-server-sdk";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { createFakeFeatbit } from "@posthouse/testkit/featbit/fake";
import { startPosthouse } from "@posthouse/testkit/posthouse-process";
import { freePort } from "@posthouse/testkit/services";
import { expect, onTestFinished, test, vi } from "vitest";

const wait = { timeout: 20_000, interval: 50 };

test("it registers, serves FeatBit's SDK, forwards what that reports, and starts again while FeatBit is away", async () => {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-drop-in-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await using featbit = await createFakeFeatbit();
  featbit.world.load(exampleDump());
  featbit.world.addRelayKey(undefined, "rp-drop-in");
  const port = await freePort();
  const env = {
    Mode: "auto",
    ApiKey: "rp-drop-in",
    AGENTID: "drop-in-agent",
    StreamingUri: featbit.streamingUrl,
    EventUri: `${featbit.eventUrl}/`,
    Streaming__TokenExpirySeconds: "30",
    ASPNETCORE_URLS: `http://+:${port}`,
  };
  const start = (): ReturnType<typeof startPosthouse> => {
    const agent = startPosthouse(["agent"], { cwd: folder, env });
    onTestFinished(() => agent.signal("SIGKILL"));
    return agent;
  };
  let agent = start();
  await agent.printed(/agent started/);
  await vi.waitFor(() => expect([...featbit.agents.keys()]).toEqual(["drop-in-agent"]), wait);
  const [item] = exampleDump().items;
  const sdk = new node.FbClientBuilder({
    sdkKey: item?.secrets.find(({ type }) => type === "server")?.value ?? "",
    streamingUri: `ws://127.0.0.1:${port}`,
    eventsUri: `http://127.0.0.1:${port}`,
    flushInterval: 200,
    logLevel: "none",
  } as ConstructorParameters<typeof node.FbClientBuilder>[0]).build();
  onTestFinished(() => sdk.close());
  const user = new node.UserBuilder("u-101").name("Max").custom("visits", "2").build();
  const banner = (text: string): Promise<void> =>
    vi.waitFor(async () => expect(await sdk.stringVariation("banner-text", user, "none")).toBe(text), wait);
  await banner("Welcome");
  await vi.waitFor(() => expect(featbit.insights.some(({ status }) => status === 200)).toBe(true), wait);
  expect(await fetch(`http://127.0.0.1:${port}/health/liveness`).then((answer) => answer.text())).toBe(
    "Healthy",
  );

  await featbit.refuse();
  agent.signal("SIGTERM");
  expect(await agent.exited).toBe(0);
  agent = start();
  await agent.printed(/agent started/);
  const ready = await fetch(`http://127.0.0.1:${port}/health/readiness`);
  expect([ready.status, await ready.text()]).toEqual([200, "Degraded"]);
  await featbit.comeBack();
  featbit.world.patchFlag(item?.envId ?? "", "banner-text", { isEnabled: false, disabledVariationId: "b-b" });
  await banner("Hello again");
}, 90_000);

import { once } from "node:events";
import { connect } from "node:net";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { makeFlags } from "@posthouse/testkit/featbit/generate";
import { encodeToken } from "@posthouse/testkit/featbit/token";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { expect, test } from "vitest";
import { type FlagsHarness, startFlags } from "./harness.ts";

function exampleWorld(): FeatbitWorld {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  return world;
}

test("stopping says 1001 to all, takes no more, and ends", async () => {
  await using flags = await startFlags({ world: exampleWorld() });
  flags.load();
  const sdks = [await flags.connect("server"), await flags.connect("client")];
  const began = performance.now();
  await flags.server.stop(10_000);
  for (const sdk of sdks) expect((await sdk.closed)[0]).toBe(1001);
  expect(performance.now() - began).toBeLessThan(5000);
  await expect(flags.connect("server")).rejects.toThrow("ECONNREFUSED");
});

test("an SDK that closes gets its own code back", async () => {
  await using flags = await startFlags({ world: exampleWorld() });
  flags.load();
  const sdk = await flags.connect("server");
  sdk.socket.close(4003, "The client is closed by user");
  expect(await sdk.closed).toEqual([4003, "The client is closed by user"]);
  await expect.poll(() => flags.metric(sessions)).toBe(0);
});

const sessions = 'posthouse_flags_sessions{environment="shop:prod",kind="server"}';

/** Shakes hands, asks for everything, and never reads again. */
async function neverReads(flags: FlagsHarness, envId: string): Promise<ReturnType<typeof connect>> {
  const secret = flags.world.environment(envId).secrets.find(({ type }) => type === "server")?.value ?? "";
  const socket = connect(Number(new URL(flags.url).port), "127.0.0.1").on("error", () => {});
  socket.write(
    `GET /streaming?type=server&token=${encodeToken(secret)} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n` +
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await once(socket, "readable");
  const ask = Buffer.from('{"messageType":"data-sync","data":{"timestamp":0}}');
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | ask.length, 0, 0, 0, 0]), ask]));
  return socket;
}

/** Large enough that no kernel takes a few of its answers for a peer that does not read. */
function bigWorld(): { readonly world: FeatbitWorld; readonly envId: string } {
  const world = new FeatbitWorld();
  const { featureFlags } = makeFlags(1000, { segments: 0, rules: 6 });
  return { world, envId: world.addEnvironment({ flags: featureFlags }).envId };
}

const lost = (reason: string): string =>
  `posthouse_flags_sessions_dropped_total{environment="webapp:env-1",kind="server",reason="${reason}"}`;

test("who never reads delays nobody and is dropped at its deadline", async () => {
  const { world, envId } = bigWorld();
  await using flags = await startFlags({ world, config: { sessions: { send_time: "1s" } } });
  flags.load();
  const deaf = await Promise.all(Array.from({ length: 5 }, () => neverReads(flags, envId)));
  const reader = await flags.connect("server");
  await reader.sync(0);
  await expect
    .poll(
      async () => {
        // Everything changes each time, until no more goes in.
        for (let at = 0; at < 1000; at += 10)
          world.patchFlag(envId, `flag-${at}`, { isEnabled: Math.random() < 0.5 });
        flags.load();
        expect((await reader.nextData()).eventType).toBe("patch");
        return flags.metric(lost("slow"));
      },
      { timeout: 30_000, interval: 50 },
    )
    .toBe(5);
  await expect
    .poll(() => flags.metric(sessions.replace("shop:prod", "webapp:env-1")), { timeout: 5000 })
    .toBe(1);
  for (const socket of deaf) socket.destroy();
}, 60_000);

test("who asks on and on without reading is dropped by its limit", async () => {
  const { world, envId } = bigWorld();
  await using flags = await startFlags({ world, config: { sessions: { queue: "64KiB", send_time: "1m" } } });
  flags.load();
  const socket = await neverReads(flags, envId);
  const echo = Buffer.from(`{"messageType":"echo","data":"${"x".repeat(8000)}"}`);
  const frame = Buffer.concat([
    Buffer.from([0x81, 0xfe, echo.length >> 8, echo.length & 255, 0, 0, 0, 0]),
    echo,
  ]);
  await expect
    .poll(
      async () => {
        if (!socket.destroyed) for (let count = 0; count < 100; count++) socket.write(frame);
        return flags.metric(lost("queue"));
      },
      { timeout: 30_000, interval: 20 },
    )
    .toBe(1);
  socket.destroy();
}, 60_000);

test("who says nothing at all is given up; who answers pings is not", async () => {
  const { world, envId } = bigWorld();
  await using flags = await startFlags({ world, config: { sessions: { silence: "1s" } } });
  flags.load();
  const socket = await neverReads(flags, envId);
  const reader = await flags.connect("server");
  await expect.poll(() => flags.metric(lost("silent")), { timeout: 10_000 }).toBe(1);
  expect(await reader.isQuiet()).toBe(true);
  socket.destroy();
});

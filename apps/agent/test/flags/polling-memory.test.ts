import { connect, type Socket } from "node:net";
import { makeFlags } from "@posthouse/testkit/featbit/generate";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { until } from "@posthouse/testkit/until";
import { expect, test } from "vitest";
import { startFlags } from "./harness.ts";

const mebibyte = 1024 * 1024;
const pollers = 30;

test("server SDKs that poll and read slowly share one text of the flags", async () => {
  const world = new FeatbitWorld();
  const { featureFlags, segments } = makeFlags(20);
  const [first, ...others] = featureFlags;
  const long = { ...first, description: "x".repeat(4 * mebibyte) } as (typeof featureFlags)[number];
  const { secrets } = world.addEnvironment({ flags: [long, ...others], segments });
  await using flags = await startFlags({ world });
  flags.load();
  const secret = secrets.find(({ type }) => type === "server")?.value;
  const ask = `GET /api/public/sdk/server/latest-all HTTP/1.1\r\nHost: a\r\nAuthorization: ${secret}\r\n\r\n`;
  const { port = 0 } = flags.server.address ?? {};
  const polls = (): Promise<number> =>
    flags.metric('posthouse_flags_polls_total{environment="webapp:env-1",kind="server"}');
  const sockets: Socket[] = [];
  const poll = (): void => {
    const socket = connect(port, "127.0.0.1")
      .on("error", () => {})
      .pause();
    socket.write(ask);
    sockets.push(socket);
  };
  try {
    poll();
    await until("the first is answered", async () => (await polls()) === 1);
    const before = process.memoryUsage().arrayBuffers;
    for (let index = 0; index < pollers; index++) poll();
    await until("all are answered", async () => (await polls()) === pollers + 1);
    const grown = process.memoryUsage().arrayBuffers - before;
    expect(grown / mebibyte).toBeLessThan((pollers * 4) / 2);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

/** A client that sends request after request without waiting is not read on and on. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { expect, it } from "vitest";
import { type ProxyHarness, startProxy } from "../harness.ts";
import { head, ok } from "./bytes.ts";

const request = head("GET / HTTP/1.1", "Host: a");
const megabyte = 1024 * 1024;
const block = Buffer.from(request.repeat(Math.ceil(megabyte / request.length)));
const offeredMegabytes = 64;
/** What one or two reads bring; Node alone would go on to the hundred thousand that a connection may send. */
const mostRead = 20_000;

async function requests({ metrics }: ProxyHarness): Promise<number> {
  return Number(/posthouse_http_requests_total\{listener="site[^}]*\} (\d+)/.exec(await metrics())?.[1]);
}

it("is read no further while its first requests wait, and is answered in the end", {
  timeout: 60_000,
}, async () => {
  let answering = false;
  const answer = answerWith(ok);
  await using backend = await startRawBackend((connection, index) => {
    if (answering) answer(connection, index);
  });
  await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
  let answers = 0;
  const socket = connect({ port: proxy.port, host: "127.0.0.1" });
  socket.on("error", () => {});
  socket.on("data", (data) => {
    answers += data.toString("latin1").split("HTTP/1.1 200").length - 1;
  });
  try {
    let taken = 0;
    const onTaken = (error?: Error | null): void => {
      taken += 1;
      if (!error) offer();
    };
    const offer = (): void => {
      if (taken < offeredMegabytes) socket.write(block, onTaken);
    };
    offer();
    let before = -1;
    let stalled = 0;
    await until("nothing more is taken", async () => {
      stalled = taken === before ? stalled + 1 : 0;
      before = taken;
      await sleep(200);
      return stalled >= 10 || taken === offeredMegabytes;
    });
    expect(await requests(proxy)).toBeLessThan(mostRead);
    expect(backend.connections).toHaveLength(1);
    answering = true;
    for (const connection of backend.connections) answer(connection, 0);
    await until("a thousand are answered", async () => answers > 1000, 30_000);
    const answered = answers;
    expect((await requests(proxy)) - answered).toBeLessThan(mostRead);
  } finally {
    socket.destroy();
  }
});

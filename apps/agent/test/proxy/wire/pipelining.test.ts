/** A client that sends request after request without waiting is not read on and on. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { expect, it } from "vitest";
import { startProxy } from "../harness.ts";
import { head, ok } from "./bytes.ts";

const request = head("GET / HTTP/1.1", "Host: a");
const megabyte = 1024 * 1024;
const block = Buffer.from(request.repeat(Math.ceil(megabyte / request.length)));
const offeredMegabytes = 64;

it("is taken only as far as buffers reach while nothing is answered, and is answered in the end", {
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
    for (let count = 0; count < offeredMegabytes; count++) socket.write(block);
    const taken = (): number => socket.bytesWritten - socket.writableLength;
    let before = -1;
    await until("nothing more is taken", async () => {
      const stalled = taken() === before;
      before = taken();
      await sleep(500);
      return stalled;
    });
    expect(taken()).toBeLessThan((offeredMegabytes / 2) * megabyte);
    expect(backend.connections).toHaveLength(1);
    answering = true;
    for (const connection of backend.connections) answer(connection, 0);
    await until("a thousand are answered", async () => answers > 1000, 30_000);
  } finally {
    socket.destroy();
  }
});

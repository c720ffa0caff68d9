/** What is held while a backend has not answered an upgrade yet. */
import { connect } from "node:net";
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { expect, it } from "vitest";
import { startProxy } from "../harness.ts";
import { head } from "./bytes.ts";

const ask = head("GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: x");

it("is counted, and let go when the client breaks off", async () => {
  await using backend = await startRawBackend(() => {});
  await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
  const waiting = async (): Promise<number> =>
    Number(/posthouse_http_upgrades_waiting\{listener="site[^}]*\} (\d+)/.exec(await proxy.metrics())?.[1]);
  const client = connect(proxy.port, "127.0.0.1").on("error", () => {});
  client.write(`${ask}early`);
  await until("the request", async () => backend.received.includes("\r\n\r\n"));
  expect(await waiting()).toBe(1);
  client.resetAndDestroy();
  await until("let go", async () => (await waiting()) === 0);
  await until("the backend's end", async () => backend.connections[0]?.socket.destroyed === true);
});

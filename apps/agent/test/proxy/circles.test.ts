/** Requests that pass agents in a row reach their backend; those that go in circles end with 508. */
import { connect, createServer } from "node:net";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { sendRaw } from "@posthouse/testkit/raw-http";
import { expect, it } from "vitest";
import { type ProxyHarness, startProxy } from "./harness.ts";

const get = ["GET / HTTP/1.1", "Host: a"];
const names = /1\.1 (posthouse-[0-9a-f]{8})/g;
const ok = answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
const startAgent = (port: number, site?: Record<string, unknown>): Promise<ProxyHarness> =>
  startProxy({ forward: `http://127.0.0.1:${port}`, ...(site && { site }) });

/** What an agent says of itself in Via. */
async function nameOf(agent: ProxyHarness, backend: { readonly received: string }): Promise<string> {
  await sendRaw(agent.port, get);
  return [...backend.received.matchAll(names)].at(-1)?.[1] ?? "";
}

/** How many requests an agent had. */
async function requestsOf(agent: ProxyHarness): Promise<number> {
  return Number(
    /posthouse_http_requests_total\{listener="site[^}]*\} (\d+)/.exec(await agent.metrics())?.[1],
  );
}

it("two agents in a row are two in Via", async () => {
  await using backend = await startRawBackend(ok);
  await using last = await startAgent(backend.port);
  await using first = await startAgent(last.port);
  expect((await sendRaw(first.port, get)).status).toBe(200);
  const passed = [...backend.received.matchAll(names)].map(([, name]) => name);
  expect([passed.length, new Set(passed).size]).toEqual([2, 2]);
});

it("a dozen of other agents before it is no circle", async () => {
  await using backend = await startRawBackend(ok);
  await using agent = await startAgent(backend.port);
  const others = Array.from({ length: 12 }, (_, index) => `1.1 posthouse-0000000${index.toString(16)}`);
  expect((await sendRaw(agent.port, [...get, `Via: ${others.join(", ")}`])).status).toBe(200);
});

it("a circle over two agents ends with 508 after a few hops", async () => {
  // The way back to the first agent, which must run before its port is known.
  let firstPort = 0;
  const back = createServer((socket) => {
    const onward = connect(firstPort, "127.0.0.1");
    socket.on("error", () => onward.destroy()).pipe(onward);
    onward.on("error", () => socket.destroy()).pipe(socket);
  });
  await new Promise<void>((resolve) => back.listen(0, "127.0.0.1", resolve));
  const address = back.address();
  await using second = await startAgent(typeof address === "object" ? (address?.port ?? 0) : 0);
  await using first = await startAgent(second.port);
  firstPort = first.port;
  const { status, body } = await sendRaw(first.port, get);
  expect([status, body]).toEqual([508, "508 the request goes in circles\n"]);
  expect([await requestsOf(first), await requestsOf(second)]).toEqual([4, 3]);
  back.close();
});

it("an agent is known by its name in Via, however it is written", async () => {
  await using backend = await startRawBackend(ok);
  await using agent = await startAgent(backend.port);
  const name = (await nameOf(agent, backend)).toUpperCase();
  const ask = async (...lines: string[]): Promise<number> =>
    (await sendRaw(agent.port, [...get, ...lines])).status;
  expect(await ask(`Via: 1.1 ${name}, 1.1 ${name}`)).toBe(200);
  expect(await ask(`Via: 1.1 ${name}, 1.1 ${name}`, `Via: 1.1 ${name}2, 1.1 other (${name})`)).toBe(200);
  expect(
    await ask(`Via: 1.1 ${name},HTTP/1.0  ${name} (comment)`, "Via: 1.1 other", `Via:\t2.0\t${name}`),
  ).toBe(508);
});

it("a request that has passed 32 servers of any name goes no further", async () => {
  await using backend = await startRawBackend(ok);
  await using agent = await startAgent(backend.port);
  const passed = (count: number): string => `Via: ${Array(count).fill("1.1 x").join(", ")}`;
  expect((await sendRaw(agent.port, [...get, passed(31)])).status).toBe(200);
  expect((await sendRaw(agent.port, [...get, passed(31), "Via: 1.1 y"])).status).toBe(508);
});

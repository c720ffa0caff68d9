/** A connection through the proxy counts as open for as long as something of it may still be passed on. */
import { connect, createServer, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { startTcpProxy } from "../src/tcp-proxy.ts";
import { until } from "../src/until.ts";

async function served() {
  const sockets: Socket[] = [];
  let received = "";
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      received += bytes;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const proxy = await startTcpProxy(typeof address === "object" && address !== null ? address.port : 0);
  onTestFinished(async () => {
    await proxy[Symbol.asyncDispose]();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const client = connect(proxy.port, "127.0.0.1");
  client.on("error", () => {});
  client.write("a");
  await until("it is connected", async () => received === "a");
  return { proxy, client, sockets, received: () => received };
}

it.each<[string, (client: Socket) => unknown]>([
  ["ended", (client) => client.destroy()],
  ["was reset", (client) => client.resetAndDestroy()],
])("in a hanging network, after its client %s, until the network works again", async (_, close) => {
  const { proxy, client, sockets } = await served();
  proxy.hangs(true);
  client.write("b");
  for (const socket of sockets) socket.write("x".repeat(1_000_000));
  close(client);
  expect(proxy.open).toBe(1);
  proxy.hangs(false);
  await until("it is closed", async () => proxy.open === 0);
});

it("passes on what a client sent before it ended", async () => {
  const { proxy, client, received } = await served();
  proxy.hangs(true);
  await new Promise((resolve) => client.write("b", resolve));
  client.destroy();
  await new Promise((resolve) => client.once("close", resolve));
  expect([received(), proxy.open]).toEqual(["a", 1]);
  proxy.hangs(false);
  await until("the rest is there", async () => received() === "ab");
  await until("it is closed", async () => proxy.open === 0);
});

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { resetSocket } from "../src/reset-socket.ts";

test.each([false, true])("a connection is gone after a reset; ending already: %s", async (isEnding) => {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {});
  const closed = new Promise((resolve) => client.on("close", resolve));
  const [[socket]] = (await Promise.all([once(server, "connection"), once(client, "connect")])) as [
    [Socket],
    unknown,
  ];
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  const open = sockets();
  if (isEnding) socket.end();
  resetSocket(socket);
  await closed;
  await expect.poll(sockets).toBe(open - 2);
  server.close();
});

import { once } from "node:events";
import { connect } from "node:net";
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { expect, it } from "vitest";
import { startProxy } from "./harness.ts";

/** As when the machine has no time for it. */
function standStill(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

it("an answer that came in time counts, though the process could not read it in time", async () => {
  await using backend = await startRawBackend(({ socket }) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", () => standStill(1500));
  });
  const forward = { upstreams: [`http://127.0.0.1:${backend.port}`], timeouts: { first_byte: "1s" } };
  await using proxy = await startProxy({ forward });
  const client = connect(proxy.port, "127.0.0.1").setEncoding("latin1");
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const [answer] = await once(client, "data");
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  client.destroy();
});

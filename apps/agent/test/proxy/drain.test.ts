import { connect } from "node:net";
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { portOf } from "../harness.ts";
import { startProxy } from "./harness.ts";

const size = 8 * 1024 * 1024;

describe("stopping", () => {
  it("lets a slow download end, and takes nothing new meanwhile", async () => {
    let finish = (): void => {};
    await using backend = await startRawBackend(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size / 2, "a"));
      finish = () => void socket.write(Buffer.alloc(size / 2, "b"));
    });
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    const download = exchangeBytes(proxy.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", { deadlineMs: 30_000 });
    await until("the first half", async () =>
      (await proxy.metrics()).includes(`direction="response"} ${size / 2}\n`),
    );
    let stopped = false;
    const stopping = proxy.agent.stop(20_000).then(() => {
      stopped = true;
    });
    await until("nobody listens", async () => !(await isOpen(proxy.port)));
    expect(stopped).toBe(false);
    finish();
    expect((await download).length).toBeGreaterThan(size);
    await stopping;
  });

  it("ends a download and a tunnel that outlast the deadline", async () => {
    await using backend = await startRawBackend(({ socket, received }) => {
      if (received.startsWith("GET /up"))
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello");
      else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab");
    });
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    const tunnel = exchangeBytes(
      proxy.port,
      "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
      { deadlineMs: 30_000 },
    );
    const download = exchangeBytes(proxy.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", { deadlineMs: 30_000 });
    await until("both", async () => backend.connections.length === 2);
    await until("the tunnel", async () => /posthouse_proxy_tunnels\{[^}]*\} 1\n/.test(await proxy.metrics()));
    await proxy.agent.stop(300);
    expect(await tunnel).toMatch(/hello$/);
    expect(await download).toMatch(/ab$/);
  });

  it("takes nothing new on any listener while one still finishes", async () => {
    let finish = (): void => {};
    await using backend = await startRawBackend(({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na");
      finish = () => void socket.write("b");
    });
    const forward = `http://127.0.0.1:${backend.port}`;
    await using first = await startProxy({ forward });
    const [site] = first.config.sites;
    await first.agent.reload({ ...first.config, sites: [site, site].filter((one) => one !== undefined) });
    const [port, other] = first.agent.addresses.sites.map(portOf);
    const download = exchangeBytes(other ?? 0, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", { deadlineMs: 30_000 });
    await until("it runs", async () => backend.received !== "");
    const stopping = first.agent.stop(20_000);
    await until("nobody listens", async () => !(await isOpen(port ?? 0)));
    finish();
    expect(await download).toMatch(/ab$/);
    await stopping;
  });

  it("waits for a tunnel that ends in time", async () => {
    await using backend = await startRawBackend(({ socket, received }) => {
      if (received.endsWith("bye")) socket.end("bye too");
      else socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    });
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    const client = connect(proxy.port, "127.0.0.1");
    let received = "";
    client.on("data", (chunk: Buffer) => {
      received += chunk.toString();
    });
    client.write("GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    await until("the upgrade", async () => received.includes("101"));
    const stopping = proxy.agent.stop(20_000);
    await until("nobody listens", async () => !(await isOpen(proxy.port)));
    client.end("bye");
    await stopping;
    expect(received).toMatch(/bye too$/);
  });
});

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

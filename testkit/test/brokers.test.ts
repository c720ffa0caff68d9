import { existsSync } from "node:fs";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { needRabbitMq, startRabbitMq } from "../src/rabbitmq.ts";
import { needRedis, startRedis } from "../src/redis.ts";
import { startTcpProxy } from "../src/tcp-proxy.ts";

const rabbit = await needRabbitMq();
if ("missing" in rabbit) console.warn(`NOT TESTED: ${rabbit.missing}`);
const redis = await needRedis();
if ("missing" in redis) console.warn(`NOT TESTED: ${redis.missing}`);

/** Sends a line and gives the first bytes of the answer. */
function ask(port: number, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(line));
    socket.on("error", reject);
    socket.once("data", (bytes) => {
      socket.destroy();
      resolve(bytes.toString("latin1"));
    });
  });
}

describe.runIf("path" in rabbit)("our own RabbitMQ", () => {
  it("can be ended in both ways, starts with what it had, and leaves nothing", async () => {
    let folder = "";
    let port = 0;
    {
      await using server = await startRabbitMq();
      ({ folder, port } = server);
      await server.ctl("add_vhost", "kept");
      await server.kill();
      await expect(ask(port, "AMQP")).rejects.toThrow();
      await server.start();
      expect(await server.ctl("list_vhosts", "--quiet")).toContain("kept");
      await server.stop();
      await expect(ask(port, "AMQP")).rejects.toThrow();
    }
    expect(existsSync(folder)).toBe(false);
  }, 240_000);
});

describe.runIf("path" in redis)("our own Redis", () => {
  it("answers, is killed and started again on the same port", async () => {
    await using server = await startRedis();
    expect(await ask(server.port, "PING\r\n")).toBe("+PONG\r\n");
    await server.kill();
    await expect(ask(server.port, "PING\r\n")).rejects.toThrow();
    await server.start();
    expect(await ask(server.port, "PING\r\n")).toBe("+PONG\r\n");
  });

  it("is reached through a proxy that can cut", async () => {
    await using server = await startRedis();
    await using proxy = await startTcpProxy(server.port);
    expect(await ask(proxy.port, "PING\r\n")).toBe("+PONG\r\n");
    const socket = connect({ port: proxy.port, host: "127.0.0.1" });
    const closed = new Promise<Error>((resolve) => socket.once("error", resolve));
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.write("PING\r\n");
    await new Promise((resolve) => socket.once("data", resolve));
    proxy.reset();
    expect(await closed).toMatchObject({ code: "ECONNRESET" });
    expect(proxy.connections).toBe(2);
  });
});

import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { startRedis } from "@posthouse/testkit/redis";
import { freePort } from "@posthouse/testkit/services";
import { startTcpProxy } from "@posthouse/testkit/tcp-proxy";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { receives, redis, redisTexts, startClient, startRedisSource } from "./redis-peer.ts";

const channel = "/0.celeryev/task.sent";

describe.runIf("path" in redis)("a source of Redis", () => {
  it("brings what is published to the exchange as bytes, and nothing else", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await using under = await startRedisSource(server.url);
    await receives(under);
    const bytes = Buffer.from([0x7b, 0xff, 0x00, 0x0d, 0x0a, 0x7d]);
    await client.publish("/1.celeryev/task.sent", "another database");
    await client.publish("/0.celeryevents/task.sent", "another exchange");
    await client.publish(channel, bytes);
    await client.publish("/0.celeryev/task.multi", "last");
    await redisTexts(under, 2);
    expect(under.intake.taken[0]).toEqual({ transport: "redis", payload: bytes });
    expect(under.source.status).toMatchObject({ received: 2, pending: 0, gaps: 0, dropped: 0 });
  });

  it("listens where kombu publishes: database, prefixes, routing key", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    const cases = [
      ["/3", "#", "/3.celeryev/worker.online"],
      ["/0?global_keyprefix=app:", "#", "app:/0.celeryev/task.sent"],
      ["/2?fanout_prefix=/all.{db}.", "#", "/all.2.celeryev/task.sent"],
      ["/2?fanout_prefix=false", "task.#", "celeryev/task.sent"],
      ["/2?fanout_patterns=false", "#", "/2.celeryev"],
    ] as const;
    for (const [path, routingKey, published] of cases) {
      await using under = await startRedisSource(server.url + path, { routingKey });
      await receives(under);
      await client.publish(published, "here");
      expect(await redisTexts(under, 1)).toEqual(["here"]);
    }
  });

  it("writes nothing", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    const seen: string[] = [];
    const monitor = await client.monitor();
    monitor.on("monitor", (_time: string, [command]: string[]) => seen.push(String(command).toLowerCase()));
    await using under = await startRedisSource(`${server.url}/1`);
    await receives(under);
    await client.publish("/1.celeryev/task.sent", "a");
    await redisTexts(under, 1);
    await under.source.stop(1000);
    expect(await client.dbsize()).toBe(0);
    monitor.disconnect();
    expect([...new Set(seen)].sort()).toEqual([
      "client",
      "dbsize",
      "info",
      "psubscribe",
      "publish",
      "punsubscribe",
      "select",
    ]);
  });

  it("connects again after a kill, and counts that as a gap", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await using under = await startRedisSource(server.url);
    await receives(under);
    await client.publish(channel, "before");
    await redisTexts(under, 1);
    await server.kill();
    await until("it is noticed", async () => under.source.status.state === "connecting");
    await server.start();
    await receives(under);
    await client.publish(channel, "after");
    expect(await redisTexts(under, 2)).toEqual(["before", "after"]);
    expect(under.source.status).toMatchObject({ gaps: 1, disconnects: 1, outputCuts: 0 });
  });

  it("counts a reset and a pause as gaps, and none while it could not connect", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await using proxy = await startTcpProxy(await freePort());
    await using under = await startRedisSource(`redis://127.0.0.1:${proxy.port}`);
    await until("it fails", async () => under.source.status.lastError !== undefined);
    expect(under.source.status.gaps).toBe(0);
    proxy.target = server.port;
    await receives(under);
    proxy.reset();
    await until("it is noticed", async () => under.source.status.gaps === 1);
    await receives(under);
    under.source.pause();
    await until("it is paused", async () => under.source.status.state === "paused");
    await client.publish(channel, "missed");
    under.source.resume();
    await receives(under);
    await client.publish(channel, "here");
    expect(await redisTexts(under, 1)).toEqual(["here"]);
    expect(under.source.status).toMatchObject({ gaps: 2, disconnects: 1, outputCuts: 0 });
  });

  it("notices that nothing is answered any more", async () => {
    await using server = await startRedis();
    await using proxy = await startTcpProxy(server.port);
    await using under = await startRedisSource(`redis://127.0.0.1:${proxy.port}`);
    await receives(under);
    proxy.hangs(true);
    await until("it is noticed", async () => under.source.status.gaps === 1, 60_000);
    expect(under.source.status.lastError?.message).toMatch(/took longer than 10 s to answer a ping/);
    proxy.hangs(false);
    await receives(under);
  }, 90_000);

  it("tells that the server cut it, because it read too slowly", async () => {
    await using server = await startRedis({ config: ["client-output-buffer-limit pubsub 200kb 100kb 1"] });
    await using client = await startClient(server);
    await using proxy = await startTcpProxy(server.port);
    await using under = await startRedisSource(`redis://127.0.0.1:${proxy.port}`);
    await receives(under);
    proxy.hangs(true);
    const body = Buffer.alloc(64 * 1024, "x");
    await until("it is cut", async () => {
      await client.publish(channel, body);
      return server.output().includes("overcoming of output buffer limits");
    });
    proxy.hangs(false);
    await until("it is told", async () => under.source.status.outputCuts === 1);
    expect(under.source.status.lastError?.message).toMatch(/cut the connection, because more waited/);
    expect(under.source.status).toMatchObject({ gaps: 1, disconnects: 1 });
    await receives(under);
  });

  it("goes to the next address of its list", async () => {
    await using server = await startRedis();
    const nobody = await freePort();
    await using under = await startRedisSource(`redis://127.0.0.1:${nobody};${server.url}/0`);
    await receives(under);
    expect(under.source.status.broker).toBe(`redis://127.0.0.1:${server.port}/0`);
  });

  it("waits at the stop until all is durable", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await using under = await startRedisSource(server.url);
    await receives(under);
    under.intake.isDurable = false;
    await client.publish(channel, "a");
    await redisTexts(under, 1);
    let isStopped = false;
    const stopped = under.source.stop(20_000).then(() => {
      isStopped = true;
    });
    await until("it is gone", async () => Number(await client.call("PUBSUB", "NUMPAT")) === 0);
    expect(isStopped).toBe(false);
    under.intake.settle();
    await stopped;
    expect(under.source.status).toMatchObject({ state: "stopped", pending: 0, dropped: 0 });
  });
});

describeLifecycle({
  name: "a source of Redis",
  async create() {
    const { source } = await startRedisSource(`redis://127.0.0.1:${await freePort()}`);
    return { part: source };
  },
});

describe.runIf("path" in redis)("with a server", () => {
  describeLifecycle({
    name: "a source of Redis that receives",
    async create() {
      const server = await startRedis();
      const under = await startRedisSource(server.url, { pair: true });
      await receives(under);
      return { part: under.source, cleanUp: async () => server[Symbol.asyncDispose]() };
    },
  });
});

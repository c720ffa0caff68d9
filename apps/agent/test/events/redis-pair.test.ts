import { startRedis } from "@posthouse/testkit/redis";
import { startTcpProxy } from "@posthouse/testkit/tcp-proxy";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { RedisStandby } from "../../src/events/redis/redis-standby.ts";
import {
  type RedisSourceUnderTest,
  receives,
  redis,
  redisTexts,
  startClient,
  startRedisSource,
} from "./redis-peer.ts";

const channel = "/0.celeryev/task.sent";
const key = "posthouse.lease.celeryev.shop-prod";
const pair = { pair: true, leaseMs: 1000 };

const leads = ({ source }: RedisSourceUnderTest): Promise<void> =>
  until("it leads", async () => source.status.pair?.isLeading === true);

describe.runIf("path" in redis)("a pair of agents at one Redis", () => {
  it("has one that delivers, and one key", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await using first = await startRedisSource(server.url, pair);
    await leads(first);
    await using second = await startRedisSource(server.url, pair);
    await receives(first);
    await receives(second);
    await client.publish(channel, "a");
    expect(await redisTexts(first, 1)).toEqual(["a"]);
    await until("the other holds it", async () => second.source.status.pair?.held === 1);
    expect(second.intake.taken).toEqual([]);
    expect(await client.keys("*")).toEqual([key]);
    // Renewed: it outlives its time several times.
    const before = await client.get(key);
    await until("three leases are over", async () => (await client.pttl(key)) < 800);
    for (let round = 0; round < 3; round++) await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await client.get(key)).toBe(before);
    expect(second.source.status.pair).toMatchObject({ isLeading: false, takeovers: 0 });
  });

  it("goes on at once when the one that leads stops, with what it may not have delivered", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await using first = await startRedisSource(server.url, { ...pair, leaseMs: 60_000 });
    await leads(first);
    await using second = await startRedisSource(server.url, { ...pair, leaseMs: 1000 });
    await receives(first);
    await receives(second);
    await client.publish(channel, "a");
    await redisTexts(first, 1);
    await first.source.stop(2000);
    await leads(second);
    await client.publish(channel, "b");
    expect(await redisTexts(second, 2)).toEqual(["a", "b"]);
    expect(second.source.status.pair).toMatchObject({ overlap: 1, takeovers: 1, held: 0 });
    expect(second.intake.taken).toMatchObject([{ isRedelivered: true }, { isRedelivered: undefined }]);
  });

  it("goes on within a lease when the one that leads is cut off, and that one delivers no more", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await using proxy = await startTcpProxy(server.port);
    await using first = await startRedisSource(`redis://127.0.0.1:${proxy.port}`, pair);
    await leads(first);
    await using second = await startRedisSource(server.url, pair);
    await receives(first);
    await receives(second);
    proxy.hangs(true);
    await leads(second);
    expect(first.source.status.pair?.isLeading).toBe(false);
    await client.publish(channel, "while cut off");
    expect(await redisTexts(second, 1)).toEqual(["while cut off"]);
    // What the network kept for it arrives late, and is held.
    proxy.hangs(false);
    await until(
      "it is held",
      async () => first.source.status.pair?.held === 1 || first.source.status.gaps > 0,
    );
    expect(first.intake.taken).toEqual([]);
    expect(second.source.status.pair?.isLeading).toBe(true);
  });

  it("loses nothing that came while nobody had the lease", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await using under = await startRedisSource(server.url, pair);
    await leads(under);
    await receives(under);
    await client.set(key, "somebody else", "PX", 1500);
    await until("it noticed", async () => under.source.status.pair?.isLeading === false);
    await client.publish(channel, "in between");
    await until("it is held", async () => under.source.status.pair?.held === 1);
    await leads(under);
    expect(await redisTexts(under, 1)).toEqual(["in between"]);
    expect(under.source.status.pair).toMatchObject({ overlap: 1, takeovers: 2 });
  });
});

describe("a standby", () => {
  it("holds the last minute, and no more bytes than it may", () => {
    let now = 0;
    const standby = new RedisStandby(1000, () => now);
    standby.hold(Buffer.from("old"));
    now = 60_001;
    standby.hold(Buffer.from("young"));
    expect(standby.take().map(String)).toEqual(["young"]);
    for (let index = 0; index < 10; index++) standby.hold(Buffer.from(`message ${index}`));
    expect(standby.length).toBe(5);
    expect(standby.short).toBe(5);
    expect(standby.take().map(String)[0]).toBe("message 5");
    expect(standby.take()).toEqual([]);
  });
});

import { startRedis } from "@posthouse/testkit/redis";
import { describe, expect, it } from "vitest";
import { cleanUpLeek } from "../../src/events/redis/leek-leftovers.ts";
import { redis, redisBrokers, startClient } from "./redis-peer.ts";
import { TestIntake } from "./test-intake.ts";

const mark = "\x06\x16";
const receiver = "celeryev.d535f5e2-1111-4222-8333-0123456789ab";
const bindings = "_kombu.binding.celeryev";
const names = { exchange: "celeryev", queue: "leek.fanout" };

describe.runIf("path" in redis)("what a Leek agent left in Redis", () => {
  it("is told first, then removed, and nothing else is touched", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    for (const prefix of ["", "app:"]) {
      const url = `${server.url}/0?global_keyprefix=${prefix}`;
      await client.sadd(prefix + bindings, `#${mark}${mark}leek.fanout`, `worker.#${mark}${mark}${receiver}`);
      await client.lpush(`${prefix}leek.fanout`, "2", "3");
      await client.lpush(`${prefix}leek.fanout${mark}9`, "1");
      await client.lpush(prefix + receiver, "x", "y");
      const others = [
        `${prefix}celery`,
        `${prefix}celeryev.mine`,
        `${prefix}unacked`,
        `${prefix}celeryevX.${receiver}`,
      ];
      for (const key of others) await client.lpush(key, "task");
      await client.set(`${prefix}celeryev.00000000-0000-4000-8000-000000000000`, "no list");
      const before = (await client.keys("*")).sort();

      const found = await cleanUpLeek({ brokers: redisBrokers(url), ...names });
      expect(found).toEqual([
        { kind: "binding", key: prefix + bindings, member: `#${mark}${mark}leek.fanout` },
        { kind: "list", key: `${prefix}leek.fanout`, entries: 2, fate: "delete" },
        { kind: "list", key: `${prefix}leek.fanout${mark}9`, entries: 1, fate: "delete" },
        { kind: "list", key: prefix + receiver, entries: 2, fate: "delete" },
      ]);
      expect((await client.keys("*")).sort()).toEqual(before);

      expect(await cleanUpLeek({ brokers: redisBrokers(url), ...names, dryRun: false })).toEqual(found);
      expect(await client.smembers(prefix + bindings)).toEqual([`worker.#${mark}${mark}${receiver}`]);
      const gone = found.filter(({ kind }) => kind === "list").map(({ key }) => key);
      expect((await client.keys("*")).sort()).toEqual(before.filter((key) => !gone.includes(key)));
      expect(await cleanUpLeek({ brokers: redisBrokers(url), ...names })).toEqual([]);
    }
  });

  it("can be delivered, oldest first, each removed when it is durable", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    for (let index = 0; index < 1200; index++) await client.lpush("leek.fanout", String(index));
    const intake = new TestIntake();
    intake.room = 700;
    intake.isDurable = false;
    const abort = new AbortController();
    const cleaning = cleanUpLeek({
      brokers: redisBrokers(server.url),
      ...names,
      dryRun: false,
      deliverTo: intake,
      signal: abort.signal,
    });
    await expect.poll(() => intake.taken.length).toBe(500);
    expect(await client.llen("leek.fanout")).toBe(1200);
    intake.settle();
    await expect.poll(() => intake.refused).toBe(1);
    expect(await client.llen("leek.fanout")).toBe(700);
    intake.isDurable = true;
    intake.settle();
    intake.makeRoom();
    await cleaning;
    expect(intake.texts).toEqual(Array.from({ length: 1200 }, (_, index) => String(index)));
    expect(await client.exists("leek.fanout")).toBe(0);
  });

  it("is left alone from the moment on that somebody says stop", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await client.lpush("leek.fanout", "1");
    const intake = new TestIntake();
    intake.room = 0;
    const abort = new AbortController();
    const options = { brokers: redisBrokers(server.url), ...names, dryRun: false, deliverTo: intake };
    const cleaning = cleanUpLeek({ ...options, signal: abort.signal });
    await expect.poll(() => intake.refused).toBe(1);
    abort.abort(new Error("enough"));
    await expect(cleaning).rejects.toThrow("enough");
    expect(await client.llen("leek.fanout")).toBe(1);
  });
});

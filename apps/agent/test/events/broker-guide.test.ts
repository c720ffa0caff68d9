import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startRabbitMq } from "@posthouse/testkit/rabbitmq";
import { startRedis } from "@posthouse/testkit/redis";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { rabbitMq } from "./amqp-peer.ts";
import { receives, redis, redisTexts, startClient, startRedisSource } from "./redis-peer.ts";

const guide = readFileSync(join(import.meta.dirname, "../../../../docs/guide/events-brokers.md"), "utf8");

/** The words of a command of the guide, quotes as a shell has them. */
function command(start: string): string[] {
  const line = new RegExp(`^ *${start} (.*)$`, "m").exec(guide)?.[1];
  if (line === undefined) throw new Error(`the guide has no command ${start}`);
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

describe("what the guide says to brokers", () => {
  it.runIf("path" in redis)("gives a user of Redis enough rights, and those of a pair", async () => {
    await using server = await startRedis();
    await using client = await startClient(server);
    await client.call("ACL", ...command("ACL"));
    const url = `redis://posthouse:PASSWORD@127.0.0.1:${server.port}/0`;
    {
      await using under = await startRedisSource(url);
      await receives(under);
      await client.publish("/0.celeryev/task.sent", "a");
      expect(await redisTexts(under, 1)).toEqual(["a"]);
      expect(under.source.status.lastError).toBeUndefined();
    }
    const more = /`(~posthouse\.lease\.[^`]*)`/.exec(guide)?.[1] ?? "";
    await client.call("ACL", "SETUSER", "posthouse", ...more.split(" "));
    await using under = await startRedisSource(url, { pair: true, leaseMs: 500 });
    await until("it leads", async () => under.source.status.pair?.isLeading === true);
    expect(await client.keys("*")).toEqual(["posthouse.lease.celeryev.shop-prod"]);
    const before = await client.pttl("posthouse.lease.celeryev.shop-prod");
    await until(
      "it is renewed",
      async () => (await client.pttl("posthouse.lease.celeryev.shop-prod")) > before,
    );
    await under.source.stop(1000);
    expect(await client.keys("*")).toEqual([]);
    expect(under.lines.join("")).not.toMatch(/NOPERM|PASSWORD/);
  });

  it.runIf("path" in rabbitMq)(
    "is a policy that RabbitMQ takes",
    async () => {
      await using broker = await startRabbitMq();
      await broker.ctl(...command("rabbitmqctl"));
      expect(await broker.ctl("list_policies")).toMatch(
        /leek\t\^leek\\.fanout\$\tqueues\t\{"max-length-bytes":1000000000\}/,
      );
    },
    120_000,
  );
});

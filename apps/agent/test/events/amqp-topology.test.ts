import { type RabbitMq, startRabbitMq } from "@posthouse/testkit/rabbitmq";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Publisher,
  rabbitMq,
  receiving,
  type SourceUnderTest,
  startPublisher,
  startSource,
  texts,
} from "./amqp-peer.ts";

async function failure({ source }: SourceUnderTest, like: RegExp): Promise<string> {
  await until(`it fails: ${like}`, async () => like.test(source.status.lastError?.message ?? ""));
  return source.status.lastError?.message ?? "";
}

describe.runIf("path" in rabbitMq)("what a source declares at RabbitMQ", () => {
  let broker: RabbitMq;
  let publisher: Publisher;

  beforeAll(async () => {
    broker = await startRabbitMq();
    publisher = await startPublisher(broker);
  }, 180_000);
  afterAll(async () => {
    await publisher?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
  });

  it("is a durable topic exchange, a durable queue and their binding, as often as it connects", async () => {
    for (const _ of [1, 2]) {
      await using under = await startSource(broker.url(), { queue: "leek.fanout", exchange: "celeryev" });
      await receiving(under);
    }
    const list = async (...what: string[]): Promise<string[]> =>
      (await broker.ctl("--quiet", "--no-table-headers", ...what)).split("\n");
    expect(await list("list_exchanges", "name", "type", "durable", "auto_delete")).toContain(
      "celeryev\ttopic\ttrue\tfalse",
    );
    expect(await list("list_queues", "name", "durable", "auto_delete", "exclusive", "arguments")).toContain(
      "leek.fanout\ttrue\tfalse\tfalse\t[]",
    );
    expect(await list("list_bindings", "source_name", "destination_name", "routing_key")).toContain(
      "celeryev\tleek.fanout\t#",
    );
  });

  it("can be a quorum queue", async () => {
    await using under = await startSource(broker.url(), { quorum: true });
    await receiving(under);
    await publisher.publish(under.object, "a");
    expect(await texts(under, 1)).toEqual(["a"]);
    expect(await broker.ctl("--quiet", "list_queues", "name", "type")).toMatch(
      new RegExp(`^${under.object}\t.*quorum`, "m"),
    );
  });

  it("is explained when the queue has another type, and works once the type is the same", async () => {
    await publisher.declareQueue("plain", {});
    await using under = await startSource(broker.url(), { queue: "plain", quorum: true });
    expect(await failure(under, /plain/)).toBe(
      `on the broker at 127.0.0.1:${broker.port} the queue plain is another one than this subscription needs: its x-queue-type is classic, and quorum is needed: a queue cannot change its type; leave quorum out to use the queue as it is`,
    );
    expect(under.source.status.state).not.toBe("receiving");
    await publisher.deleteQueue("plain");
    await receiving(under);

    await publisher.declareQueue("quorate", { "x-queue-type": "quorum" });
    await using other = await startSource(broker.url(), { queue: "quorate" });
    expect(await failure(other, /quorate/)).toMatch(/x-queue-type is quorum, and .* set quorum to true/);
  });

  it("is explained when the exchange is no topic exchange", async () => {
    await publisher.declareExchange("fan", "fanout");
    await using under = await startSource(broker.url(), { exchange: "fan", queue: "fan" });
    expect(await failure(under, /fan/)).toMatch(
      /the exchange fan .*: its type is fanout, and topic is needed$/,
    );
  });

  it("is explained when the user may not declare it", async () => {
    await broker.ctl("add_user", "poor", "secretsecret");
    await broker.ctl("set_permissions", "poor", "^$", "^$", ".*");
    await using under = await startSource(`amqp://poor:secretsecret@127.0.0.1:${broker.port}//`);
    expect(await failure(under, /./)).toMatch(
      /does not permit what is needed: ACCESS_REFUSED - access to exchange/,
    );
    expect(JSON.stringify([under.source.status, under.lines])).not.toContain("secretsecret");
  });

  it("is declared anew when the queue is deleted", async () => {
    await using under = await startSource(broker.url());
    await receiving(under);
    await publisher.deleteQueue(under.object);
    await failure(under, /was deleted/);
    await receiving(under);
    await publisher.publish(under.object, "after");
    expect(await texts(under, 1)).toEqual(["after"]);
  });

  it("stands in the vhost of the address", async () => {
    for (const vhost of ["teams/shop", "/", "ü %"]) {
      if (vhost !== "/") {
        await broker.ctl("add_vhost", vhost);
        await broker.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*");
      }
      await using there = await startPublisher(broker, vhost);
      await using under = await startSource(`pyamqp://127.0.0.1:${broker.port}/${encodeURIComponent(vhost)}`);
      await receiving(under);
      await there.publish(under.object, vhost);
      expect(await texts(under, 1)).toEqual([vhost]);
    }
  });
});

import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { type RabbitMq, startRabbitMq } from "@posthouse/testkit/rabbitmq";
import { freePort } from "@posthouse/testkit/services";
import { startTcpProxy } from "@posthouse/testkit/tcp-proxy";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rabbitMq, receiving, startPublisher, startSource, texts } from "./amqp-peer.ts";

const minutes = 60_000;

describe.runIf("path" in rabbitMq)("a source of RabbitMQ", () => {
  let broker: RabbitMq;
  beforeAll(async () => {
    broker = await startRabbitMq();
  }, 180_000);
  afterAll(() => broker?.[Symbol.asyncDispose]());

  it("brings all that was confirmed, over a restart and a kill of the broker", async () => {
    await using under = await startSource(broker.url(), { quorum: true, prefetch: 50 });
    await receiving(under);
    const sent: string[] = [];
    const publish = async (part: string): Promise<void> => {
      await using publisher = await startPublisher(broker);
      const bodies = Array.from({ length: 300 }, (_, index) => `${part}${index}`);
      await publisher.publish(under.object, ...bodies);
      sent.push(...bodies);
    };
    await publish("a");
    // What waits in the broker while it is restarted must be there afterwards.
    await texts(under, 300);
    under.intake.room = 0;
    await publish("b");
    await broker.stop();
    await until("it is noticed", async () => under.source.status.state === "connecting");
    await broker.start();
    under.intake.makeRoom();
    await receiving(under);
    await publish("c");
    await broker.kill();
    await broker.start();
    await receiving(under);
    await publish("d");
    await until("all are there", async () => new Set(under.intake.texts).size === sent.length, minutes);
    expect([...new Set(under.intake.texts)].sort()).toEqual([...sent].sort());
    expect(under.source.status.lastError?.message).toMatch(/127\.0\.0\.1/);
  }, 240_000);

  it("goes to the next address of its list, and says which it uses", async () => {
    const nobody = await freePort();
    await using proxy = await startTcpProxy(broker.port);
    const second = `127.0.0.1:${proxy.port}`;
    await using under = await startSource(
      `amqp://guest:guest@127.0.0.1:${nobody}//;amqp://guest:guest@${second}//`,
    );
    await receiving(under);
    expect(under.source.status.broker).toBe(`amqp://guest@${second}/%2F`);
    expect(under.source.status.lastError?.message).toBe(
      `the broker at 127.0.0.1:${nobody} cannot be reached: nobody listens there (ECONNREFUSED)`,
    );
    proxy.reset();
    await until("it is noticed", async () => under.source.status.state === "connecting");
    await receiving(under);
    expect(JSON.stringify([under.source.status, under.lines])).not.toContain("guest:guest");
  }, 120_000);

  it("shows that the broker blocks publishers, and receives on during a memory alarm", async () => {
    await using proxy = await startTcpProxy(broker.port);
    await using under = await startSource(`amqp://127.0.0.1:${proxy.port}`);
    await receiving(under);
    await using publisher = await startPublisher(broker);
    under.intake.room = 0;
    await publisher.publish(under.object, "before");
    await until("it arrives", async () => under.intake.refused === 1);
    await broker.ctl("set_vm_memory_high_watermark", "0.00001");
    under.intake.makeRoom();
    expect(await texts(under, 1)).toEqual(["before"]);
    const blocked = publisher.publish(under.object, "during");
    await broker.ctl("set_vm_memory_high_watermark", "0.6");
    await blocked;
    expect(await texts(under, 2)).toEqual(["before", "during"]);
    // RabbitMQ tells connections that publish; ours never does, so the frames come from in between.
    const frame = (method: number, payload: string): Buffer => {
      const head = Buffer.from([1, 0, 0, 0, 0, 0, 4 + payload.length, 0, 10, 0, method]);
      return Buffer.concat([head, Buffer.from(payload), Buffer.from([0xce])]);
    };
    proxy.inject(frame(60, "\x0alow memory"));
    await until("it shows", async () => under.source.status.state === "blocked");
    expect(under.source.status.heldBackFor).toBe("low memory");
    proxy.inject(frame(61, ""));
    await receiving(under);
    await under.source.stop(5000);
    expect(await publisher.queue(under.object)).toEqual({ messages: 0, consumers: 0 });
  }, 120_000);

  it("notices by heartbeats that nothing comes any more", async () => {
    await using proxy = await startTcpProxy(broker.port);
    await using under = await startSource(`amqp://127.0.0.1:${proxy.port}//?heartbeat=1`);
    await receiving(under);
    proxy.hangs(true);
    await until("it is noticed", async () => under.source.status.state === "connecting");
    expect(under.source.status.lastError?.message).toMatch(/Heartbeat timeout/);
    proxy.hangs(false);
    await receiving(under);
  }, 120_000);

  it("stops in time although the broker hangs", async () => {
    await using proxy = await startTcpProxy(broker.port);
    await using under = await startSource(`amqp://127.0.0.1:${proxy.port}//`);
    await receiving(under);
    proxy.hangs(true);
    const before = performance.now();
    await under.source.stop(1000);
    expect(performance.now() - before).toBeLessThan(10_000);
    expect(under.source.status.state).toBe("stopped");
  }, 120_000);

  it("stops at once while it connects and while it waits", async () => {
    await using under = await startSource(`amqp://127.0.0.1:${await freePort()}//`);
    await until("it fails", async () => under.source.status.lastError !== undefined);
    const before = performance.now();
    await under.source.stop(10_000);
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

describeLifecycle({
  name: "a source of RabbitMQ",
  async create() {
    const { source } = await startSource(`amqp://127.0.0.1:${await freePort()}//`);
    return { part: source };
  },
});

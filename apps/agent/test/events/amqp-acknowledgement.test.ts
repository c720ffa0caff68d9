import { type RabbitMq, startRabbitMq } from "@posthouse/testkit/rabbitmq";
import { startTcpProxy } from "@posthouse/testkit/tcp-proxy";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Publisher, rabbitMq, receiving, startPublisher, startSource, texts } from "./amqp-peer.ts";

describe.runIf("path" in rabbitMq)("what a source acknowledges to RabbitMQ", () => {
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

  it("brings bodies with their properties, and leaves an empty queue", async () => {
    await using under = await startSource(broker.url());
    await receiving(under);
    await publisher.publish(under.object, "[1]", "[2]", "ü");
    expect(await texts(under, 3)).toEqual(["[1]", "[2]", "ü"]);
    expect(under.intake.taken[0]).toMatchObject({ transport: "amqp", contentType: "application/json" });
    await under.source.stop(5000);
    expect(await publisher.queue(under.object)).toEqual({ messages: 0, consumers: 0 });
    expect(under.source.status).toMatchObject({
      state: "stopped",
      received: 3,
      pending: 0,
      gaps: 0,
      dropped: 0,
    });
  });

  it("acknowledges nothing that is not durable", async () => {
    await using under = await startSource(broker.url(), { prefetch: 4 });
    under.intake.isDurable = false;
    await receiving(under);
    await publisher.publish(under.object, ..."abcdefghij");
    await texts(under, 4);
    expect(under.source.status.pending).toBe(4);
    under.intake.settle(2);
    expect(await texts(under, 6)).toEqual([..."abcdef"]);
    await under.source.stop(300);
    await until("the rest is back", async () => (await publisher.queue(under.object)).messages === 8);
  });

  it("says of a message that it was delivered before", async () => {
    await using first = await startSource(broker.url());
    first.intake.isDurable = false;
    await receiving(first);
    await publisher.publish(first.object, "a");
    await texts(first, 1);
    expect(first.intake.taken[0]).toHaveProperty("isRedelivered", undefined);
    await first.source.stop(300);
    await using second = await startSource(broker.url(), { queue: first.object });
    await texts(second, 1);
    expect(second.intake.taken[0]).toHaveProperty("isRedelivered", true);
  });

  it("waits at the stop until all is durable, and acknowledges that", async () => {
    await using under = await startSource(broker.url());
    under.intake.isDurable = false;
    await receiving(under);
    await publisher.publish(under.object, ..."abc");
    await texts(under, 3);
    const stopped = under.source.stop(10_000);
    await until("its consumer is gone", async () => (await publisher.queue(under.object)).consumers === 0);
    under.intake.settle();
    await stopped;
    expect(await publisher.queue(under.object)).toEqual({ messages: 0, consumers: 0 });
  });

  it("holds what is refused, and offers it again in order when there is room", async () => {
    await using under = await startSource(broker.url(), { prefetch: 5 });
    under.intake.room = 3;
    await receiving(under);
    await publisher.publish(under.object, ..."abcdefghijkl");
    await until("it is blocked", async () => under.source.status.state === "blocked");
    await until("prefetch bounds it", async () => under.source.status.pending === 5);
    expect((await publisher.queue(under.object)).messages).toBe(4);
    expect(under.intake.refused).toBe(1);
    expect(under.intake.listeners).toBe(1);
    under.intake.makeRoom(2);
    await texts(under, 5);
    expect(under.source.status.state).toBe("blocked");
    under.intake.makeRoom();
    expect(await texts(under, 12)).toEqual([..."abcdefghijkl"]);
    expect(under.source.status).toMatchObject({ state: "receiving", received: 12, pending: 0 });
  });

  it("stops although there is no room, and leaves to the broker what was refused", async () => {
    await using under = await startSource(broker.url());
    under.intake.room = 1;
    await receiving(under);
    await publisher.publish(under.object, ..."abc");
    await until("it is blocked", async () => under.source.status.state === "blocked");
    const before = performance.now();
    await under.source.stop(30_000);
    expect(performance.now() - before).toBeLessThan(15_000);
    await until("two are back", async () => (await publisher.queue(under.object)).messages === 2);
  });

  it("never acknowledges on a new connection what another one delivered", async () => {
    await using proxy = await startTcpProxy(broker.port);
    await using under = await startSource(`amqp://127.0.0.1:${proxy.port}`, { prefetch: 3 });
    under.intake.isDurable = false;
    await receiving(under);
    await publisher.publish(under.object, ..."abc");
    await texts(under, 3);
    proxy.reset();
    await until("it delivers again", async () => under.intake.taken.length === 6);
    // Those of the first connection; three of the second are still to come.
    under.intake.settle(3);
    await publisher.publish(under.object, "d");
    expect(under.source.status.pending).toBe(3);
    under.intake.settle();
    expect(await texts(under, 7)).toEqual([..."abcabcd"]);
    expect(under.source.status.lastError?.message).toMatch(/was closed: .*reset/);
    under.intake.settle();
    await under.source.stop(5000);
    expect(await publisher.queue(under.object)).toEqual({ messages: 0, consumers: 0 });
    expect(proxy.connections).toBe(2);
  });

  it("receives nothing while it is paused, and goes on afterwards", async () => {
    await using under = await startSource(broker.url());
    await receiving(under);
    await publisher.publish(under.object, "a");
    await texts(under, 1);
    under.source.pause();
    await until("it is paused", async () => under.source.status.state === "paused");
    await publisher.publish(under.object, "b");
    expect(await publisher.queue(under.object)).toEqual({ messages: 1, consumers: 0 });
    under.source.resume();
    expect(await texts(under, 2)).toEqual(["a", "b"]);
    under.source.pause();
    under.source.resume();
    await publisher.publish(under.object, "c");
    expect(await texts(under, 3)).toEqual(["a", "b", "c"]);
  });
});

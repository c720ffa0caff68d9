/** What a webhook gets, and how it can tell who sent it. */
import { createHmac } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Secret } from "@posthouse/service";
import { describe, expect, it } from "vitest";
import { amqp, capturedEvents, capturedMessages, taskEvent } from "./captures.ts";
import {
  clocksOf,
  eventsOf,
  numbered,
  subject,
  temporaryFolder,
  upTo,
  webhook,
  webhookSink,
} from "./pipeline-harness.ts";

describe("a webhook", () => {
  it.each([
    ["json", false],
    ["json", true],
    ["ndjson", false],
    ["ndjson", true],
  ] as const)("gets events as they were sent, with ids: %s, gzip %s", async (format, gzip) => {
    const receiver = await webhook();
    const events = await subject({ sink: webhookSink(receiver.url, { format, gzip }) });
    await events.take(...capturedMessages("rabbitmq"));
    await events.settled();
    const received = eventsOf(receiver);
    expect(received.map(({ event }) => event)).toEqual(capturedEvents("rabbitmq"));
    expect(new Set(received.map(({ id }) => id)).size).toBe(received.length);
    for (const { id } of received) expect(id).toMatch(/^[\w-]{22}$/);
    for (const { headers, raw, body } of receiver.requests) {
      expect(headers["content-type"]).toBe(format === "json" ? "application/json" : "application/x-ndjson");
      expect(headers["content-encoding"]).toBe(gzip ? "gzip" : undefined);
      expect(raw.equals(body)).toBe(!gzip);
    }
  });

  it("carries what Celery does not know, unless it is told otherwise", async () => {
    const receiver = await webhook();
    const events = await subject({ sink: webhookSink(receiver.url) });
    const cancelled = taskEvent({ type: "task-cancelled", shadow: { deep: [1, null] } });
    await events.take(amqp(cancelled));
    await events.settled();
    expect(eventsOf(receiver)).toMatchObject([{ event: cancelled }]);
  });

  it.each([false, true])("can verify the signature over the bytes that it gets, gzip %s", async (gzip) => {
    const receiver = await webhook();
    const secret = new Secret("whsec");
    const now = (): number => 1795223756_789;
    const events = await subject({ sink: webhookSink(receiver.url, { secret, gzip, now }) });
    await events.take(...numbered(3));
    await events.settled();
    const [request] = receiver.requests;
    const signature = String(request?.headers["posthouse-signature"]);
    const [, t = "", v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
    expect(t).toBe("1795223756");
    const mac = createHmac("sha256", "whsec")
      .update(`${t}.`)
      .update(request?.raw ?? "");
    expect(v1).toBe(mac.digest("hex"));
  });

  it("can verify it as the guide says", async () => {
    const guide = await readFile(
      new URL("../../../../docs/guide/events-delivery.md", import.meta.url),
      "utf8",
    );
    const [, code = ""] = /```js\n([\s\S]*?)```/.exec(guide) ?? [];
    const folder = await temporaryFolder();
    await writeFile(join(folder, "verify.mjs"), code);
    const { isGenuine } = await import(/* @vite-ignore */ join(folder, "verify.mjs"));
    const receiver = await webhook();
    const events = await subject({ sink: webhookSink(receiver.url, { secret: new Secret("whsec") }) });
    await events.take(...numbered(3));
    await events.settled();
    const [request] = receiver.requests;
    const signature = request?.headers["posthouse-signature"];
    expect(isGenuine("whsec", signature, request?.raw)).toBe(true);
    expect(isGenuine("other", signature, request?.raw)).toBe(false);
    expect(isGenuine("whsec", signature, Buffer.from("[]"))).toBe(false);
    expect(isGenuine("whsec", `t=1${String(signature).slice(12)}`, request?.raw)).toBe(false);
    expect(isGenuine("whsec", "", request?.raw)).toBe(false);
  });

  it("gets the same key with the same events, and another with others", async () => {
    const receiver = await webhook();
    receiver.faults.plan({ kind: "silent" }, { kind: "status", status: 503 });
    const events = await subject({ sink: webhookSink(receiver.url), maxEvents: 5 });
    await events.take(...numbered(10));
    await events.settled();
    const keys = receiver.attempts.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toHaveLength(3);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[1]).not.toBe(keys[2]);
    // Another process that has the same events makes the same key.
    const again = await subject({ sink: webhookSink(receiver.url), maxEvents: 5 });
    await again.take(...numbered(5));
    await again.settled();
    expect(receiver.attempts.at(-1)?.headers["idempotency-key"]).toBe(keys[0]);
  });

  it.each([400, 409, 413, 422])("that refuses one event with %i gets the others", async (status) => {
    const receiver = await webhook();
    receiver.refuse = ({ body }) =>
      body.includes('"clock":13}') || body.includes('"clock":13,') ? status : undefined;
    const events = await subject({ sink: webhookSink(receiver.url) });
    await events.take(...numbered(40, 4));
    await events.settled();
    expect(clocksOf(eventsOf(receiver))).toEqual(upTo(40).filter((clock) => clock !== 13));
    expect(events.dead()).toMatchObject([{ reason: "refused", detail: String(status) }]);
  });

  it("is verified with a request without events", async () => {
    const receiver = await webhook();
    const sink = webhookSink(receiver.url);
    const { signal } = new AbortController();
    await sink.verify(signal);
    expect(receiver.requests[0]?.body.toString()).toBe("[]");
    receiver.faults.plan({ kind: "status", status: 401 });
    await expect(sink.verify(signal)).rejects.toMatchObject({ code: "EVENTS_TARGET_REFUSES" });
    await receiver[Symbol.asyncDispose]();
    await expect(sink.verify(signal)).rejects.toMatchObject({ code: "EVENTS_TARGET_UNREACHABLE" });
  });
});

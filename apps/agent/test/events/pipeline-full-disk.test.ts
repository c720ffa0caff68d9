/** A full disk stops taking and keeping, and nothing else: what is in the spool is delivered. */
import { mountSmallDisk } from "@posthouse/testkit/small-disk";
import { expect, it, onTestFinished, vi } from "vitest";
import { amqp } from "./captures.ts";
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

it("delivers what was taken, and takes and keeps the rest when there is room", async ({ skip }) => {
  const folder = await temporaryFolder();
  const disk = await mountSmallDisk(folder);
  if ("missing" in disk) {
    console.warn(`NOT TESTED: ${disk.missing}`);
    return skip(disk.missing);
  }
  onTestFinished(() => disk[Symbol.asyncDispose]());
  const receiver = await webhook();
  const spoolOptions = { segmentBytes: 64 * 1024, memoryBytes: 128 * 1024 };
  const events = await subject({ sink: webhookSink(receiver.url), folder, spoolOptions });
  events.pipeline.pause();
  const messages = numbered(100);
  await events.take(...messages.slice(0, 50), amqp("poison"));
  await vi.waitFor(() => expect(events.dead()).toHaveLength(1));
  await disk.fill();
  const rest = events.take(...messages.slice(50), amqp("more poison"), amqp(`[5,"${"x".repeat(5000)}"]`));
  await vi.waitFor(() => expect(events.spool.counters.writeErrors).toBeGreaterThan(0));
  events.pipeline.resume();
  await vi.waitFor(() => expect(clocksOf(eventsOf(receiver)).slice(0, 50)).toEqual(upTo(50)));
  expect(events.spool.isFull).toBe(true);
  await disk.free();
  await rest;
  await events.settled();
  expect(clocksOf(eventsOf(receiver))).toEqual(upTo(100));
  expect(events.dead()).toHaveLength(4);
}, 30_000);

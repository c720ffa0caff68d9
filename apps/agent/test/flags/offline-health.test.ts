import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { flagsSchema } from "../../src/config/flags.ts";
import { createMetrics } from "../../src/core/metrics.ts";
import { createFlagsJob, type FlagsJob } from "../../src/flags/job.ts";
import { createFlagMetrics } from "../../src/flags/metrics.ts";
import { createHttpCounters } from "../../src/http/http-metrics.ts";
import { createNode1Server, type HttpServer } from "../../src/http/node1.ts";
import { collectLog } from "../harness.ts";

let directory: string;
let running: { readonly job: FlagsJob; readonly server: HttpServer } | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "posthouse-health-"));
});
afterEach(async () => {
  await stop();
  await rm(directory, { recursive: true, force: true });
});

const file = (): string => join(directory, "dump.json");

async function start(): Promise<void> {
  const { log } = collectLog();
  const metrics = createMetrics();
  const config = flagsSchema.parse({ listen: "127.0.0.1:0", mode: "offline", file: file() });
  const job = createFlagsJob({
    config,
    agentName: "test",
    state: directory,
    metrics: createFlagMetrics(metrics),
    log,
  });
  const server = createNode1Server({
    name: "flags",
    listen: config.listen,
    role: { handler: job.handler, counters: createHttpCounters(metrics)("flags"), limits: config.limits },
    log,
  });
  running = { job, server };
  job.activate();
  for (const part of [...job.parts, server]) await part.start();
}

async function stop(): Promise<void> {
  if (running === undefined) return;
  const { job, server } = running;
  running = undefined;
  for (const part of [server, ...job.parts.toReversed()]) await part.stop(2000);
}

async function health(): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${running?.server.address?.port}/health/readiness`);
  return `${answer.status} ${await answer.text()}`;
}

const degraded = (): unknown => (running?.job.status() as { degraded?: unknown } | undefined)?.degraded;

test("mode offline: degraded, and why, while the file is broken and its copy on disk is served", async () => {
  await writeFile(file(), JSON.stringify(exampleDump()));
  await start();
  expect([await health(), degraded()]).toEqual(["200 Healthy", undefined]);
  await stop();

  await writeFile(file(), "{");
  await start();
  expect(await health()).toBe("200 Degraded");
  expect(degraded()).toContain("dump.json");

  await writeFile(file(), JSON.stringify(exampleDump()));
  await vi.waitFor(async () => expect(await health()).toBe("200 Healthy"), 10_000);
  expect(degraded()).toBeUndefined();
}, 20_000);

test("mode offline: no health without any copy, whatever the file is", async () => {
  await writeFile(file(), "{");
  await start();
  expect(await health()).toBe("503 Unhealthy");
  expect(degraded()).toContain("dump.json");
});

import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { parseSubscription } from "../../src/config/leek-subscriptions.ts";
import { createMetrics } from "../../src/core/metrics.ts";
import { createEventsJob } from "../../src/events/job.ts";
import { createJobThread } from "../../src/events/job-thread.ts";
import type { EventsReport, ThreadData } from "../../src/events/messages.ts";
import { registerEventMetrics } from "../../src/events/metrics.ts";
import { seal } from "../../src/events/sealed.ts";
import { collectLog } from "../harness.ts";

const config = { subscriptions: [] };
const folder = (): Promise<string> => mkdtemp(join(tmpdir(), "posthouse-job-"));

describeLifecycle({
  name: "the events job",
  async create() {
    const state = await folder();
    const part = createEventsJob({ state, config, log: collectLog().log });
    return { part, cleanUp: () => rm(state, { recursive: true, force: true }) };
  },
});

describe("the thread of the events job", () => {
  it("is started again when it dies; who waits for an answer hears why there is none", async () => {
    const { log, entries } = collectLog();
    let reports = 0;
    const thread = createJobThread({
      ...{ state: "/nowhere", config, log },
      onReport: () => reports++,
      url: new URL("./dying-worker.ts", import.meta.url),
    });
    await thread.start();
    try {
      expect([thread.failure, thread.restarts]).toEqual([undefined, 0]);
      await expect(thread.call("restart", "shop-prod")).rejects.toMatchObject({
        code: "EVENTS_JOB_DOWN",
        message: expect.stringContaining("killed by a test"),
      });
      expect([thread.failure, thread.restarts]).toEqual(["killed by a test", 1]);
      await expect(thread.call("restart", "shop-prod")).rejects.toMatchObject({ code: "EVENTS_JOB_DOWN" });
      await until("it runs again", async () => thread.failure === undefined);
      expect(reports).toBe(2);
      expect(entries).toMatchObject([{ level: "error", msg: expect.stringContaining("died") }]);
    } finally {
      await thread.stop(1000);
    }
  });

  it("leaves its spools to the next one when it dies", async () => {
    const state = await folder();
    const subscription = parseSubscription({
      ...{ app_name: "shop", app_env: "prod", broker: "redis://127.0.0.1:1/0" },
      webhook: { url: "http://127.0.0.1:1" },
    });
    const own = { subscriptions: [subscription] };
    const workerData: ThreadData = { state, config: seal(own) };
    const worker = new Worker(new URL("../../src/events/events-worker.ts", import.meta.url), { workerData });
    await new Promise<void>((resolve) => {
      worker.on("message", ({ type, report }: { type: string; report?: EventsReport }) => {
        if (type === "report" && report?.subscriptions[0]?.running !== undefined) resolve();
      });
    });
    const second = createEventsJob({ state, config: own, log: collectLog().log });
    const stateOf = () => second.status().subscriptions[0];
    try {
      await second.start();
      await until("the spool is in use", async () => stateOf()?.state === "broken");
      expect(stateOf()?.lastError?.message).toContain("in use");
      expect(second.health.unready()).toContain("shop-prod");
      await worker.terminate();
      await until("the second has it", async () => stateOf()?.state === "retrying", 30_000);
    } finally {
      await second.stop(1000);
      await rm(state, { recursive: true });
    }
  });

  it("says what is wrong with the database, and tries it again", async () => {
    const state = await folder();
    const { log } = collectLog();
    await mkdir(join(state, "state.db"));
    const job = createEventsJob({ state, config, log });
    try {
      await job.start();
      expect(job.health.unready()).toContain("state.db");
      expect(job.status()).toMatchObject({ failure: expect.stringContaining("state.db"), subscriptions: [] });
      await rmdir(join(state, "state.db"));
      await until("it runs", async () => job.health.unready() === undefined);
    } finally {
      await job.stop(1000);
      await rm(state, { recursive: true });
    }
  });

  it("sets a damaged database aside, says so until it is moved away, and runs what is configured", async () => {
    const state = await folder();
    const { log, entries } = collectLog();
    const metrics = createMetrics();
    const damaged = Buffer.alloc(20_000, "no database ");
    await writeFile(join(state, "state.db"), damaged);
    const subscription = parseSubscription({
      ...{ app_name: "shop", app_env: "prod", broker: "redis://127.0.0.1:1/0" },
      webhook: { url: "http://127.0.0.1:1" },
    });
    const start = async () => {
      const job = createEventsJob({ state, config: { subscriptions: [subscription] }, log });
      await job.start();
      return job;
    };
    let job = await start();
    registerEventMetrics(metrics, () => job);
    const gauge = async () => /^posthouse_events_set_aside_databases (\d)/m.exec(await metrics.text())?.[1];
    try {
      for (const round of ["found", "told again after a restart"]) {
        await until(round, async () => job.status().subscriptions[0]?.state === "retrying");
        expect(job.status()).toMatchObject({
          failure: undefined,
          problems: [expect.stringMatching(/state\.db\.damaged-\d{8}T\d{9}Z was found damaged/)],
        });
        expect(await gauge()).toBe("1");
        await job.stop(1000);
        job = await start();
      }
      const aside = (await readdir(state)).filter((name) => name.includes("damaged")).sort();
      expect(aside).toEqual([expect.stringMatching(/^state\.db\.damaged-\d{8}T\d{9}Z$/)]);
      expect((await readFile(join(state, aside[0] ?? ""))).equals(damaged)).toBe(true);
      const told = entries.filter(({ level, msg }) => level === "error" && String(msg).includes("set aside"));
      expect(told).toHaveLength(1);
      for (const name of aside) await rm(join(state, name));
      await until("it is told no more", async () => job.status().problems.length === 0);
      expect(await gauge()).toBe("0");
    } finally {
      await job.stop(1000);
      await rm(state, { recursive: true });
    }
  });
});

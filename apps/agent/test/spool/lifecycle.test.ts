import { mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { describe, expect, it } from "vitest";
import { createSpool } from "../../src/spool/spool.ts";
import { interceptedDisk, openSpool, silent, temporaryDirectory, textsOf } from "./harness.ts";

const parent = join(tmpdir(), `posthouse-spool-lifecycle-${process.pid}`);
const subject = () => ({
  part: createSpool({ directory: join(parent, "queue"), maxBytes: 1_000_000, log: silent }),
  cleanUp: () => rm(parent, { recursive: true, force: true }),
});

describeLifecycle({
  name: "the spool",
  create: subject,
  async createFailing() {
    await mkdir(parent, { recursive: true });
    await writeFile(join(parent, "queue"), "a file, not a directory");
    return { ...subject(), repair: () => rm(join(parent, "queue")) };
  },
});

describe("stopping", () => {
  it("writes what was appended, and refuses what comes after", async () => {
    const directory = await temporaryDirectory();
    const spool = await openSpool(directory);
    const appended = spool.append(Buffer.from("before"));
    const stopped = spool.stop(1000);
    await expect(spool.append(Buffer.from("after"))).rejects.toMatchObject({ code: "SPOOL_STOPPED" });
    expect(await appended).toBe(1);
    await stopped;
    expect(await textsOf(await openSpool(directory))).toEqual(["before"]);
  });

  it("waits for a disk that hangs no longer than its deadline, and keeps the lock until the write is over", async () => {
    const directory = await temporaryDirectory();
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const disk = interceptedDisk((step) => (step === "datasync" ? held : undefined));
    const spool = await openSpool(directory, { disk });
    const appends = [spool.append(Buffer.from("a"))];
    await expect.poll(() => spool.gauges().pendingBytes).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    appends.push(spool.append(Buffer.from("b")));
    const all = Promise.allSettled(appends);
    await spool.stop(50);
    await expect(openSpool(directory)).rejects.toMatchObject({ code: "SPOOL_IN_USE" });
    release();
    expect((await all).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await expect
      .poll(() =>
        openSpool(directory).then(
          () => "open",
          () => "in use",
        ),
      )
      .toBe("open");
  });
});

it("works in a worker thread", async () => {
  const directory = await temporaryDirectory();
  const worker = new Worker(
    `
    const { workerData, parentPort } = require("node:worker_threads");
    (async () => {
      const { createSpool } = await import(workerData.module);
      const { createLog } = await import("@posthouse/service");
      const log = createLog({ level: "silent", format: "json" });
      const spool = createSpool({ directory: workerData.directory, maxBytes: 1e6, log });
      await spool.start();
      await spool.append(Buffer.from("from a thread"));
      const [record] = await spool.read();
      await spool.stop(1000);
      parentPort.postMessage(Buffer.from(record.payload).toString());
    })();
    `,
    {
      eval: true,
      execArgv: ["--conditions=posthouse-source"],
      workerData: { directory, module: new URL("../../src/spool/spool.ts", import.meta.url).href },
    },
  );
  const said = await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  await worker.terminate();
  expect(said).toBe("from a thread");
  expect(await textsOf(await openSpool(directory))).toEqual(["from a thread"]);
});

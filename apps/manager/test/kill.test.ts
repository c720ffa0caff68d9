import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";
import { hashOfLines, readLines } from "./snapshot-hash.ts";

const rows = 30_000;
const tsv = `type\tsource\ttarget\tstatus\n${Array.from({ length: rows }, (_, index) => `BASIC\t/r/${index}\t/t\t301`).join("\n")}`;
const project = "/api/v1/namespaces/ns/projects/prj";
const delays = [5, 40, 120, 250, 400];

/** Runs a Manager in another process, starts a request there, and kills the process after a while. */
async function killDuring(
  databasePath: string,
  delayMs: number,
  method: string,
  path: string,
  body?: string,
) {
  const file = fileURLToPath(new URL("./manager-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--conditions=posthouse-source", file, databasePath], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { url, token } = JSON.parse(line) as { url: string; token: string };
  const headers = { authorization: `Bearer ${token}`, "content-type": "text/tab-separated-values" };
  const init = { method, headers, ...(body === undefined ? {} : { body }) };
  const answered = fetch(url + path, init).then(
    async (response) => response.ok && (await response.text()).length > 0,
    () => false,
  );
  await Promise.race([answered, sleep(delayMs)]);
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
  return answered;
}

describe("a Manager that is killed", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
    await harness.project("POST", "/redirects", redirect("/first"));
    await harness.project("POST", "/publish");
  });
  afterAll(() => harness.close());

  const state = async () => (await harness.project("GET", "")).json;
  const whileStopped = async <T>(run: () => Promise<T>): Promise<T> => {
    await harness.manager.stop(5_000);
    const result = await run();
    await harness.restart();
    return result;
  };

  it.each(delays)("during an import, after %i ms, has all of it or nothing", async (delayMs) => {
    const before = await state();
    const done = await whileStopped(() =>
      killDuring(harness.databasePath, delayMs, "POST", `${project}/import`, tsv),
    );
    const after = await state();
    const { redirects } = after.drafts;
    expect([before.drafts.redirects, rows]).toContain(redirects);
    if (done) expect(redirects).toBe(rows);
  });

  it.each(delays)("during a publish, after %i ms, has the old version or the new one", async (delayMs) => {
    const headers = { "content-type": "text/tab-separated-values" };
    const changed = tsv.replaceAll("\t/t\t", `\t/t${delayMs}\t`);
    await harness.request("POST", `${project}/import`, { body: changed, headers });
    const before = await state();
    expect(before.drafts.redirects).toBe(rows);
    const done = await whileStopped(() =>
      killDuring(harness.databasePath, delayMs, "POST", `${project}/publish`),
    );
    const after = await state();
    const published = after.version === before.version + 1;
    if (done) expect(published).toBe(true);
    expect(after).toMatchObject(
      published
        ? { redirects: rows + 1, drafts: { redirects: 0 } }
        : { version: before.version, hash: before.hash, drafts: { redirects: rows } },
    );
    const { header, lines } = readLines((await harness.agent("GET", "/snapshot")).text);
    expect(header).toMatchObject({ version: after.version, hash: after.hash, items: after.redirects });
    expect(hashOfLines(lines)).toBe(after.hash);
  });
});

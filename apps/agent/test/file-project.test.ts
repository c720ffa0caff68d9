import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Agent, createAgent, loadAgentConfig } from "../src/index.ts";
import { collectLog } from "./harness.ts";

let folder = "";
let agent: Agent | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-file-project-"));
});
afterEach(async () => {
  await agent?.stop(2000);
  await rm(folder, { recursive: true, force: true });
});

/** The configuration file names the rule file from its own folder. */
async function configure(file: string): Promise<string> {
  const path = join(folder, "posthouse.yaml");
  const site = `{ listen: "127.0.0.1:0", hosts: [{ match: ["*"], project: shop }] }`;
  await writeFile(
    path,
    `state: ./state\nadmin: { listen: "127.0.0.1:0" }\nprojects: { shop: { file: ${file} } }\nsites: [${site}]\n`,
  );
  return path;
}

const ask = (path: string): Promise<Response> => fetch(`http://${agent?.addresses.admin}${path}`);
const visit = (path: string): Promise<Response> =>
  fetch(`http://${agent?.addresses.sites[0]}${path}`, { redirect: "manual" });
const shop = async (): Promise<Record<string, unknown> & { lastError?: { code: string } }> =>
  ((await (await ask("/status")).json()) as { projects: { shop: Record<string, unknown> } }).projects.shop;

describe("a project with a file", () => {
  it("becomes ready when the file appears, serves on when it goes, and tells the truth all along", async () => {
    const { log } = collectLog();
    agent = createAgent(await loadAgentConfig(await configure("./rules/_redirects")), { log });
    await agent.start();
    const ready = await ask("/health/ready");
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { ready: false, reasons: { redirects: "no rules yet: shop" } },
    ]);
    expect((await visit("/old")).status).toBe(503);
    const path = join(folder, "rules", "_redirects");
    expect(await shop()).toMatchObject({ file: path, version: 0, lastError: { code: "RULE_FILE_MISSING" } });

    await mkdir(join(folder, "rules"));
    await writeFile(path, "/old /new 301\n/bad\n");
    await vi.waitFor(async () => expect((await ask("/health/ready")).status).toBe(200), 20_000);
    const answer = await visit("/old");
    expect([answer.status, answer.headers.get("location")]).toEqual([301, "/new"]);
    expect(await shop()).toMatchObject({
      version: 1,
      redirects: 1,
      problems: 1,
      firstProblems: [{ severity: "error", line: 2 }],
      hits: { total: 1, rules: 1 },
    });
    expect((await ask("/health/fresh?max=20s")).status).toBe(200);
    expect(await (await ask("/metrics")).text()).not.toContain("posthouse_replica_connected{");

    await rm(path);
    await vi.waitFor(
      async () => expect((await shop()).lastError).toMatchObject({ code: "RULE_FILE_MISSING" }),
      20_000,
    );
    expect((await visit("/old")).status).toBe(301);
    expect((await ask("/health/ready")).status).toBe(200);
    await vi.waitFor(async () => expect((await ask("/health/fresh?max=1s")).status).toBe(503), 10_000);
  });

  it("changes to another file at a reload once that is read", async () => {
    await writeFile(join(folder, "one.tsv"), "type\tsource\ttarget\tstatus\nBASIC\t/old\t/one\t302\n");
    await writeFile(join(folder, "two.csv"), "type;source;target;status\nBASIC;/old;/two;302\n");
    agent = createAgent(await loadAgentConfig(await configure("one.tsv")), { log: collectLog().log });
    await agent.start();
    expect((await visit("/old")).headers.get("location")).toBe("/one");
    await agent.reload(await loadAgentConfig(await configure("two.csv")));
    expect((await visit("/old")).headers.get("location")).toBe("/two");
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { redirect } from "./manager-harness.ts";
import { hashOfLines, readLines } from "./snapshot-hash.ts";

const rows = 3_000;
const kills = 8;
const project = "/api/v1/namespaces/ns/projects/prj";

const tsv = (target: string): string =>
  `type\tsource\ttarget\tstatus\n${Array.from({ length: rows }, (_, index) => `BASIC\t/r/${index}\t${target}\t301`).join("\n")}`;

/** A Manager in a process of its own. */
interface Child {
  request(method: string, path: string, body?: string): Promise<{ status: number; text: string }>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  json(method: string, path: string, body?: object): Promise<any>;
  kill(): Promise<void>;
}

async function startChild(databasePath: string): Promise<Child> {
  const file = fileURLToPath(new URL("./manager-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--conditions=posthouse-source", file, databasePath], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { url, token } = JSON.parse(line) as { url: string; token: string };
  const send = async (method: string, path: string, body?: string, type?: string) => {
    const headers = { authorization: `Bearer ${token}`, ...(type ? { "content-type": type } : {}) };
    const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) });
    return { status: response.status, text: await response.text() };
  };
  return {
    request: (method, path, body) =>
      send(method, path, body, body === undefined ? undefined : "text/tab-separated-values"),
    async json(method, path, body) {
      const { status, text } = body
        ? await send(method, path, JSON.stringify(body), "application/json")
        : await send(method, path);
      if (status >= 300) throw new Error(`${method} ${path}: ${text}`);
      return text === "" ? undefined : JSON.parse(text);
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

describe("a Manager that is killed", () => {
  let directory: string;
  let databasePath: string;
  let child: Child;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "manager-kill-"));
    databasePath = join(directory, "posthouse.db");
    child = await startChild(databasePath);
    await child.json("POST", "/api/v1/namespaces", { code: "ns", name: "Namespace" });
    await child.json("POST", "/api/v1/namespaces/ns/projects", { code: "prj", name: "Project" });
  });
  afterAll(async () => {
    await child.kill();
    await rm(directory, { recursive: true, force: true });
  });

  const importRows = (target: string) => child.request("POST", `${project}/import`, tsv(target));
  const state = () => child.json("GET", project);

  /** Whatever was going on: the parts agree with each other. */
  async function consistentState() {
    const now = await state();
    const { header, lines } = readLines(
      (await child.request("GET", "/api/namespace/ns/project/prj/snapshot")).text,
    );
    expect(header).toMatchObject({ version: now.version, hash: now.hash, items: now.redirects });
    expect(hashOfLines(lines)).toBe(now.hash);
    const { items: versions } = await child.json("GET", `${project}/versions?limit=1000`);
    expect(versions.map(({ version }: { version: number }) => version)).toEqual(
      Array.from({ length: now.version }, (_, index) => now.version - index),
    );
    expect(versions[0].hash).toBe(now.hash);
    const { items: events } = await child.json("GET", `${project}/journal?limit=1000&resource=PROJECT`);
    expect(events).toHaveLength(now.version - 1);
    const database = new DatabaseSync(databasePath, { readOnly: true });
    expect(database.prepare("pragma quick_check").all()).toEqual([{ quick_check: "ok" }]);
    database.close();
    return now;
  }

  /** Kills the Manager in the middle of a request, again and again; says how often it had not answered yet. */
  async function killOften(
    prepare: () => Promise<void>,
    run: () => Promise<{ status: number }>,
    // biome-ignore lint/suspicious/noExplicitAny: the project as the API gives it
    isDone: (before: any, after: any) => boolean,
  ): Promise<number> {
    await prepare();
    const begun = performance.now();
    expect((await run()).status).toBe(200);
    const usualMs = performance.now() - begun;
    let interrupted = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      await prepare();
      const before = await state();
      const delayMs = (usualMs * (kill + Math.random())) / kills;
      const answered = run().then(
        ({ status }) => status === 200,
        () => false,
      );
      await Promise.race([answered, sleep(delayMs)]);
      await child.kill();
      const succeeded = await answered;
      if (!succeeded) interrupted += 1;
      child = await startChild(databasePath);
      const after = await consistentState();
      const done = isDone(before, after);
      if (succeeded) expect(done, `answered 200, killed after ${delayMs} ms`).toBe(true);
      if (!done) expect(after, `killed after ${delayMs} ms`).toEqual(before);
    }
    return interrupted;
  }

  it("during an import, has all of its drafts or none", { timeout: 300_000 }, async () => {
    const interrupted = await killOften(
      async () => void (await child.json("POST", `${project}/redirects/rollback`)),
      () => importRows("/t"),
      (before, { drafts, ...after }) => {
        if (drafts.redirects === 0) return false;
        expect({ ...after, drafts: before.drafts }).toEqual(before);
        expect(drafts.redirects).toBe(rows);
        return true;
      },
    );
    expect(interrupted).toBeGreaterThan(0);
  });

  it("during a publish, has the old version with its drafts or the new one", {
    timeout: 300_000,
  }, async () => {
    let round = 0;
    const interrupted = await killOften(
      async () => {
        if ((await state()).drafts.redirects === rows) return;
        round += 1;
        await importRows(`/round/${round}`);
      },
      () => child.request("POST", `${project}/publish`),
      (before, after) => {
        if (after.version === before.version) return false;
        expect(after).toMatchObject({
          version: before.version + 1,
          redirects: rows,
          drafts: { redirects: 0 },
        });
        return true;
      },
    );
    expect(interrupted).toBeGreaterThan(0);
  });

  it("during a restore, has the old version or the restored one, and its drafts", {
    timeout: 300_000,
  }, async () => {
    if ((await state()).drafts.redirects > 0) await child.json("POST", `${project}/publish`);
    await child.json("POST", `${project}/redirects`, redirect("/pending"));
    let wanted = "";
    const interrupted = await killOften(
      async () => {
        const { version } = await state();
        wanted = (await child.json("GET", `${project}/versions/${version - 1}`)).hash;
      },
      async () => {
        const { version } = await state();
        return child.request("POST", `${project}/versions/${version - 1}/restore`);
      },
      (before, after) => {
        if (after.version === before.version) return false;
        expect(after).toMatchObject({
          version: before.version + 1,
          hash: wanted,
          drafts: before.drafts,
        });
        return true;
      },
    );
    expect(interrupted).toBeGreaterThan(0);
    const { version } = await child.json("POST", `${project}/publish`);
    expect(await consistentState()).toMatchObject({ version, redirects: rows + 1 });
  });
});

/** What a launcher of the checkout started ends with it, whatever ended the launcher. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const ports = ["--manager-port", "0", "--site-port", "0", "--admin-port", "0"];

interface Launched {
  readonly launcher: ChildProcess;
  readonly child: number;
  output(): string;
}

async function launch(args: readonly string[], cwd: string, started: RegExp): Promise<Launched> {
  const launcher = spawn(process.execPath, args, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  let text = "";
  for (const stream of [launcher.stdout, launcher.stderr])
    stream?.on("data", (chunk) => {
      text += String(chunk);
    });
  await until(`${started} in ${text}`, async () => started.test(text));
  const [child = 0] = readFileSync(`/proc/${launcher.pid}/task/${launcher.pid}/children`, "utf8")
    .trim()
    .split(" ")
    .map(Number);
  return { launcher, child, output: () => text };
}

const isGone = async (pid: number): Promise<boolean> => !existsSync(`/proc/${pid}`);

describe.skipIf(process.platform !== "linux")("a launcher", { timeout: 90_000 }, () => {
  it.each([
    ["scripts/run.mjs", [join(root, "scripts", "run.mjs"), "start", "--state", "state", ...ports], /Ctrl-C/],
    [
      "apps/posthouse/bin/posthouse.mjs",
      [join(root, "apps", "posthouse", "bin", "posthouse.mjs"), "agent", "-c", "agent.yaml"],
      /agent started/,
    ],
  ])("%s takes its child with it when it is killed", async (_, args, started) => {
    const folder = await mkdtemp(join(tmpdir(), "posthouse-launcher-"));
    await writeFile(join(folder, "agent.yaml"), "state: ./state\nadmin: { listen: 127.0.0.1:0 }\n");
    let child = 0;
    try {
      const launched = await launch(args, folder, started);
      child = launched.child;
      expect(await isGone(child)).toBe(false);
      launched.launcher.kill("SIGKILL");
      await until("the child has ended", () => isGone(child));
    } finally {
      if (child > 0 && !(await isGone(child))) process.kill(child, "SIGKILL");
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("is left alone otherwise: the child runs on without a terminal, and ends cleanly on SIGTERM", async () => {
    const folder = await mkdtemp(join(tmpdir(), "posthouse-launcher-"));
    await writeFile(join(folder, "agent.yaml"), "state: ./state\nadmin: { listen: 127.0.0.1:0 }\n");
    const bin = join(root, "apps", "posthouse", "bin", "posthouse.mjs");
    try {
      const { launcher, output } = await launch([bin, "agent", "-c", "agent.yaml"], folder, /agent started/);
      const [, admin] = /"admin":"([^"]+)"/.exec(output()) ?? [];
      expect((await fetch(`http://${admin}/health/live`)).status).toBe(200);
      const exited = new Promise((resolve) => launcher.once("exit", resolve));
      launcher.kill("SIGTERM");
      expect(await exited).toBe(0);
      expect(output()).toMatch(/"msg":"stopped"/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

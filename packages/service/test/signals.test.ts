import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";

const index = new URL("../src/index.ts", import.meta.url).href;

/** Runs a part whose `start` and `stop` have these bodies under runUntilSignal. */
function run(start: string, stop: string): ChildProcess {
  const code = `
    import { createLog, runUntilSignal } from ${JSON.stringify(index)};
    const log = createLog({ format: "json", level: "info" });
    const part = { name: "part", async start() { ${start} }, async stop() { ${stop} } };
    const onStarted = () => console.log("started");
    process.exitCode = await runUntilSignal([part], { log, stopDeadlineMs: 500, onStarted });`;
  return spawn(process.execPath, ["--conditions=posthouse-source", "--input-type=module", "-e", code], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function until(child: ChildProcess, text: string): Promise<void> {
  for await (const chunk of child.stdout ?? []) if (String(chunk).includes(text)) return;
  throw new Error(`ended before ${text}`);
}

async function exitCode(child: ChildProcess): Promise<unknown> {
  return child.exitCode ?? (await once(child, "exit"))[0];
}

describe("running until a signal", () => {
  it.each(["SIGINT", "SIGTERM"] as const)("stops cleanly on %s", async (signal) => {
    const child = run("", "console.log('flushed')");
    await until(child, "started");
    child.kill(signal);
    expect(await exitCode(child)).toBe(0);
  });

  it("ends at once on the second signal", async () => {
    const child = run(
      "",
      "console.log('stopping now'); await new Promise((done) => setTimeout(done, 60_000))",
    );
    let text = "";
    child.stdout?.on("data", (chunk) => {
      const before = text;
      text += chunk;
      const now = (word: string): boolean => text.includes(word) && !before.includes(word);
      if (now("started")) child.kill("SIGTERM");
      if (now("stopping now")) child.kill("SIGINT");
    });
    expect(await exitCode(child)).toBe(130);
  });

  it("rejects when a part cannot start, and ends with 1 when one does not stop", async () => {
    const failing = run("throw new Error('planted')", "");
    const text = (await failing.stderr?.toArray())?.join("");
    expect(text).toContain("planted");
    const hanging = run("", "await new Promise((done) => setTimeout(done, 60_000).unref())");
    await until(hanging, "started");
    hanging.kill("SIGTERM");
    expect(await exitCode(hanging)).toBe(1);
  });
});

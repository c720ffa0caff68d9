import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

function bench(...args: string[]): { status: number | null; stderr: string } {
  const command = ["--conditions=posthouse-source", join(import.meta.dirname, "..", "run.ts"), ...args];
  return spawnSync(process.execPath, command, { encoding: "utf8" });
}

describe("the bench command", () => {
  it("lists the benches when it does not know one", () => {
    expect(bench("nope")).toMatchObject({ status: 2 });
    expect(bench("nope").stderr).toMatch(/there is no bench "nope"[\s\S]*\n {2}redirects /);
    expect(bench().stderr).toMatch(/^npm run bench -- NAME/);
  });

  it("refuses what it cannot understand in one line", () => {
    expect(bench("redirects", "--rounds", "many")).toMatchObject({
      status: 2,
      stderr: "--rounds many: expected a whole number from 1\n",
    });
    expect(bench("redirects", "--fast").stderr).toMatch(/^Unknown option '--fast'.*\n$/);
  });
});

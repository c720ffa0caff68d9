import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type PosthouseProcess, startPosthouse } from "@posthouse/testkit/posthouse-process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandResult, runCommand } from "./run-command.ts";

const timeout = 60_000;
let folder: string;
let up: PosthouseProcess;
let manager = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-import-"));
  const ports = ["--manager-port", "0", "--site-port", "0", "--admin-port", "0"];
  up = startPosthouse(["up", "--state", join(folder, "state"), ...ports]);
  await up.printed(/Ctrl-C stops everything/, timeout);
  [, manager = ""] = await up.printed(/Manager +(\S+)/);
}, timeout);
afterAll(async () => {
  up.signal("SIGKILL");
  await up.exited;
  await rm(folder, { recursive: true, force: true });
});

async function importFile(
  format: string,
  name: string,
  text: string | Uint8Array,
  ...more: string[]
): Promise<CommandResult> {
  await writeFile(join(folder, name), text);
  const where = ["--manager", manager, "--project", "demo/site", "--state", "state"];
  return runCommand(["import", format, name, ...where, ...more], { cwd: folder });
}

describe("posthouse import", { timeout }, () => {
  it("takes a _redirects file, and tells its own lines", async () => {
    const text = "# moved\n/a /b 302\n/nothing\n\n/shop/*  /store/:splat\n/u /v 200\n";
    const { code, stdout } = await importFile("_redirects", "_redirects", text);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^2 imported, 0 unchanged, 2 refused of 4 rows/);
    expect(stdout).toMatch(/^ {2}line 3: .+ \[LINE_NOT_OFFERED\]$/m);
    expect(stdout).toMatch(/^ {2}line 6: .+ \[LINE_NOT_OFFERED\]$/m);
    const again = await importFile("redirects", "_redirects.gz", gzipSync(text), "--publish");
    expect(again.stdout).toMatch(/^0 imported, 2 unchanged, 2 refused/);
  });

  it("takes a packed table, publishes it, and exits with 0 when nothing was refused", async () => {
    const text = "type\tsource\ttarget\tstatus\nBASIC\t/p1\t/q\t301\n\nREGEX\t^/p2/(\\d+)$\t/q/$1\tFOUND\n";
    const { code, stdout } = await importFile("tsv", "list.tsv.gz", gzipSync(text), "--publish");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^2 imported, 0 unchanged, 0 refused of 2 rows/);
    expect(stdout).toMatch(/^published version \d+ in .+: 4 new, 0 changed, 0 deleted$/m);
    const kept = await importFile("tsv", "list.tsv", text.replace("/q\t", "/r\t"), "--keep");
    expect([kept.code, kept.stdout]).toEqual([1, expect.stringContaining("[SOURCE_ALREADY_EXISTS]")]);
  });

  it.each([",", ";"])("takes csv separated by %s, with a byte order mark", async (separator) => {
    const row = (...cells: string[]): string => `${cells.join(separator)}\r\n`;
    const source = separator === "," ? "/comma" : "/semicolon";
    const text = `\uFEFF${row("Type", "Source", "Target", "Status")}${row("basic", source, '"/x,y;z"', "301")}`;
    const { code, stdout } = await importFile("csv", "list.csv", text);
    expect(stdout).toMatch(/^1 imported, 0 unchanged, 0 refused of 1 rows/);
    expect(code).toBe(0);
  });

  it("tells what went in but is doubtful", async () => {
    const text = "type,source,target,status\nREGEX,^/(.*)/$,/$1,301\n";
    const { code, stdout } = await importFile("csv", "warn.csv", text);
    expect(stdout).toMatch(/^1 to look at\n {2}line 2: \^\/\(\.\*\)\/\$: .+ \[TARGET_MAY_LEAVE_SITE\]$/m);
    expect(code).toBe(0);
  });

  it("says who refused it", async () => {
    const wrong = await importFile("tsv", "bad.tsv", "a\tb\n");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("[MANAGER_REFUSED]")]);
    const away = await runCommand(
      [
        "import",
        "tsv",
        "bad.tsv",
        "--project",
        "demo/site",
        "--state",
        "state",
        "--manager",
        "http://127.0.0.1:1",
      ],
      { cwd: folder },
    );
    expect([away.code, away.stderr]).toEqual([2, expect.stringContaining("[MANAGER_NOT_REACHED]")]);
    const token = await runCommand(["import", "tsv", "bad.tsv", "--project", "demo/site", "--state", "no"], {
      cwd: folder,
      env: { POSTHOUSE_TOKEN: "" },
    });
    expect([token.code, token.stderr]).toEqual([2, expect.stringContaining("[TOKEN_MISSING]")]);
  });
});

describe("posthouse explain of a Manager's project", { timeout }, () => {
  it("asks the copy on disk, the Manager without one, and either when told to", async () => {
    const token = (await readFile(join(folder, "state", "agent-token"), "utf8")).trim();
    const source = `{ url: "${manager}", namespace: demo, project: site, token: ${token} }`;
    const config = (state: string): string =>
      `state: ${state}\nprojects: { demo: { manager: ${source} } }\n` +
      "sites: [{ listen: 127.0.0.1:1, hosts: [{ project: demo }] }]\n";
    await writeFile(join(folder, "disk.yaml"), config("./state"));
    await writeFile(join(folder, "bare.yaml"), config("./nothing"));
    const ask = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await runCommand(["explain", "/old-page", "-c", ...args], {
        cwd: folder,
      });
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/^301 Moved Permanently\n {2}Location {2}\/new-page$/m);
      return stdout;
    };
    expect(await ask("disk.yaml")).toMatch(
      /rules {4}version \d+, the agent's copy of .+ ago: .+demo\.site\n/,
    );
    expect(await ask("disk.yaml", "--fetch")).toContain(`from the Manager at ${manager}`);
    expect(await ask("bare.yaml")).toContain(`from the Manager at ${manager}`);
  });

  it("says why there are no rules", async () => {
    const source = `{ url: "http://127.0.0.1:1", namespace: demo, project: site, token: x }`;
    await writeFile(join(folder, "away.yaml"), `state: no\nprojects: { demo: { manager: ${source} } }\n`);
    const args = ["explain", "/x", "-c", "away.yaml", "--project", "demo"];
    const { code, stderr } = await runCommand(args, { cwd: folder });
    expect([code, stderr]).toEqual([2, expect.stringContaining("[MANAGER_UNREACHABLE]")]);
  });
});

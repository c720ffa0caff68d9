import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PosthouseProcess, startPosthouse } from "@posthouse/testkit/posthouse-process";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

let folder: string;
const running: PosthouseProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-up-"));
});
afterEach(async () => {
  for (const process of running.splice(0)) {
    process.signal("SIGKILL");
    await process.exited;
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ports = ["--manager-port", "0", "--site-port", "0", "--admin-port", "0"];

function up(...more: string[]): PosthouseProcess {
  const process = startPosthouse(["up", "--state", join(folder, "state"), ...ports, ...more]);
  running.push(process);
  return process;
}

async function addresses(
  process: PosthouseProcess,
): Promise<{ site: string; manager: string; admin: string }> {
  await process.printed(/Ctrl-C stops everything/);
  const address = async (name: string): Promise<string> =>
    (await process.printed(new RegExp(`${name} +(http://127\\.0\\.0\\.1:\\d+)`)))[1] ?? "";
  return { site: await address("Site"), manager: await address("Manager"), admin: await address("Agent") };
}

const get = (url: string): Promise<Response> => fetch(url, { redirect: "manual" });

describe("posthouse up", () => {
  it("redirects, serves a page and prints the first log-in at the first start", async () => {
    const process = up();
    const { site, manager, admin } = await addresses(process);
    const old = await get(`${site}/old-page`);
    expect([old.status, old.headers.get("location")]).toEqual([301, "/new-page"]);
    const blog = await get(`${site}/blog/42/hello`);
    expect([blog.status, blog.headers.get("location")]).toEqual([302, "/articles/hello?id=42"]);
    expect(await (await get(site + blog.headers.get("location"))).text()).toMatch(/Article 42/);
    const robots = await get(`${site}/robots.txt`);
    expect([robots.status, await robots.text()]).toEqual([200, "User-agent: *\nAllow: /\n"]);
    expect((await get(`${site}/nothing-here`)).status).toBe(404);
    expect((await get(`${manager}/api/v1/openapi.json`)).status).toBe(200);
    expect((await get(`${admin}/health/ready`)).status).toBe(200);
    await process.printed(/Log-in +admin, one-time password \S{12,}/);
    expect((await stat(join(folder, "state", "token"))).mode & 0o777).toBe(0o600);
  });

  it("keeps what the first start had, and publishes an imported list", async () => {
    const process = up();
    const { site, manager } = await addresses(process);
    expect(process.output()).not.toMatch(/one-time password/);
    expect((await get(`${site}/old-page`)).status).toBe(301);

    const list = join(folder, "list.tsv");
    await writeFile(
      list,
      "type\tsource\ttarget\tstatus\nBASIC\t/imported\t/here\t302\nBASIC\tno-slash\t/x\t301\n",
    );
    const importing = startPosthouse([
      "import",
      "tsv",
      list,
      "--manager",
      manager,
      "--project",
      "demo/site",
      "--state",
      join(folder, "state"),
      "--publish",
    ]);
    expect(await importing.exited).toBe(1);
    expect(importing.output()).toMatch(/1 imported, 0 unchanged, 1 refused of 2 rows/);
    expect(importing.output()).toMatch(/line 3: no-slash: .+\[INVALID_REDIRECT\]/);
    await expect
      .poll(async () => (await get(`${site}/imported`)).headers.get("location"), { timeout: 5000 })
      .toBe("/here");
  });

  it("stops within 5 s on SIGINT with exit code 0", async () => {
    const process = up();
    await addresses(process);
    process.signal("SIGINT");
    const code = await Promise.race([
      process.exited,
      new Promise((resolve) => setTimeout(resolve, 5000, "too slow")),
    ]);
    expect(code).toBe(0);
  });

  it("says in one line that a port is in use and exits with 2", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const process = up("--site-port", String(port));
      expect(await process.exited).toBe(2);
      const lines = process
        .output()
        .split("\n")
        .filter((line) => line.startsWith("posthouse: "));
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(String(port));
      expect(process.output()).not.toMatch(/\n\s+at /);
    } finally {
      server.close();
    }
  });

  it("says that the state directory cannot be used and exits with 2", async () => {
    const blocked = join(folder, "a-file");
    await writeFile(blocked, "");
    const process = startPosthouse(["up", "--state", join(blocked, "state"), ...ports]);
    expect(await process.exited).toBe(2);
    expect(process.output()).toMatch(/^posthouse: cannot write the state directory .*a-file/);
  });
});

describe("posthouse", () => {
  it("describes itself and its commands", async () => {
    const help = startPosthouse(["help"]);
    expect(await help.exited).toBe(0);
    for (const name of ["up", "agent", "manager", "check", "import", "schema"]) {
      const command = startPosthouse([name, "--help"]);
      expect(await command.exited).toBe(0);
      expect(help.output()).toContain(name);
      expect(command.output()).toContain("Examples");
    }
  });

  it("refuses an unknown command, an unknown option and a missing argument with exit code 2", async () => {
    for (const [args, message] of [
      [["upp"], /no command "upp"/],
      [["up", "--porrt", "1"], /unknown option '--porrt'/],
      [["check"], /give a configuration with -c FILE/],
      [["import", "tsv"], /expected FORMAT FILE/],
      [["import", "xls", "a", "--project", "a/b"], /no format "xls"/],
    ] as const) {
      const process = startPosthouse(args);
      expect(await process.exited).toBe(2);
      expect(process.output()).toMatch(message);
    }
  });

  it("prints its version as its package says", async () => {
    const process = startPosthouse(["--version"]);
    await process.exited;
    const { version } = JSON.parse(
      await readFile(join(import.meta.dirname, "..", "apps", "posthouse", "package.json"), "utf8"),
    ) as { version: string };
    expect(process.output()).toContain(`posthouse ${version}`);
  });
});

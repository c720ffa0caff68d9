/**
 * Configurations that cannot run: told by `check`, at the start and at a reload, each by the place of the value that is
 * at fault. At a reload the old configuration goes on, and log, metrics and /status say why.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestAuthority } from "@posthouse/testkit/certificates";
import { type PosthouseProcess, startPosthouse } from "@posthouse/testkit/posthouse-process";
import { needPackage } from "@posthouse/testkit/services";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "./run-command.ts";

const openssl = await needPackage("openssl", "openssl");
if ("missing" in openssl) console.warn(`SKIPPED: ${openssl.missing}`);

interface Case {
  readonly what: string;
  /** Lines of the configuration from line 3 on. */
  readonly lines: readonly string[];
  /** What stands behind the file's name, with the line and column. */
  readonly says: RegExp;
  readonly code: string;
  /** Whether it shows only where something runs. */
  readonly runs?: boolean;
}

const site = (...more: string[]): string[] => [
  "sites:",
  "  - listen: 127.0.0.1:0",
  ...more,
  '    hosts: [{ forward: "http://127.0.0.1:1" }]',
];
const tls = (cert: string, key: string, ...more: string[]): string[] =>
  site(
    "    tls:",
    "      certificates:",
    "        - cert: good.pem",
    "          key: good.key",
    `        - cert: ${cert}`,
    `          key: ${key}`,
    ...more,
  );
const hosts = (...host: string[]): string[] => ["sites:", "  - listen: 127.0.0.1:0", "    hosts:", ...host];
const certificate = "sites\\[0\\]\\.tls\\.certificates\\[1\\]";

const cases: readonly Case[] = [
  {
    what: "an unknown key",
    lines: site("    hots: []"),
    says: /:5:5 {2}sites\[0\]\.hots: unknown key; did you mean "hosts"\?/,
    code: "CONFIG_INVALID",
  },
  {
    what: "a missing certificate",
    lines: tls("none.pem", "good.key"),
    says: new RegExp(`:9:17  ${certificate}\\.cert: the file \\S+none\\.pem cannot be read: ENOENT`),
    code: "TLS_FILE_UNREADABLE",
  },
  {
    what: "a missing key",
    lines: tls("good.pem", "none.key"),
    says: new RegExp(`:10:16  ${certificate}\\.key: the file \\S+none\\.key cannot be read: ENOENT`),
    code: "TLS_FILE_UNREADABLE",
  },
  {
    what: "a certificate that is none",
    lines: tls("text.txt", "good.key"),
    says: new RegExp(`:9:17  ${certificate}\\.cert: the file \\S+text\\.txt holds no certificate`),
    code: "TLS_FILE_UNUSABLE",
  },
  {
    what: "a key of another certificate",
    lines: tls("good.pem", "other.key"),
    says: new RegExp(
      `:10:16  ${certificate}\\.key: the private key \\S+other\\.key does not belong to the certificate \\S+good\\.pem`,
    ),
    code: "TLS_KEY_MISMATCH",
  },
  {
    what: "ciphers that do not exist",
    lines: tls("good.pem", "good.key", "      ciphers: NONE-SUCH"),
    says: /:11:16 {2}sites\[0\]\.tls\.ciphers: these settings cannot be used/,
    code: "TLS_SETTINGS_UNUSABLE",
  },
  {
    what: "a missing file of authorities for clients",
    lines: tls("good.pem", "good.key", "      client_certificates: { ca: none.pem }"),
    says: /:11:34 {2}sites\[0\]\.tls\.client_certificates\.ca: the file \S+none\.pem cannot be read: ENOENT/,
    code: "TLS_FILE_UNREADABLE",
  },
  {
    what: "a missing file of authorities for a backend",
    lines: hosts(
      "      - forward:",
      '          upstreams: ["https://127.0.0.1:1"]',
      "          tls:",
      "            ca: none.pem",
    ),
    says: /:9:17 {2}sites\[0\]\.hosts\[0\]\.forward\.tls\.ca: the file \S+none\.pem cannot be read: ENOENT/,
    code: "TLS_FILE_UNREADABLE",
  },
  {
    what: "a file of authorities without any",
    lines: hosts(
      "      - forward:",
      '          upstreams: ["https://127.0.0.1:1"]',
      "          tls:",
      "            ca: text.txt",
    ),
    says: /:9:17 {2}sites\[0\]\.hosts\[0\]\.forward\.tls\.ca: the file \S+text\.txt holds no certificate/,
    code: "TLS_FILE_UNUSABLE",
  },
  {
    what: "a missing error page",
    lines: hosts("      - error_pages:", "          502: none.html"),
    says: /:7:16 {2}sites\[0\]\.hosts\[0\]\.error_pages\.502: the file \S+none\.html cannot be read: .*ENOENT/,
    code: "FILE_NOT_READABLE",
  },
  {
    what: "an access log in a folder that is not there",
    lines: site("    access_log:", "      path: none/access.log"),
    says: /:6:13 {2}sites\[0\]\.access_log\.path: the access log \S+none\/access\.log cannot be written: .*ENOENT/,
    code: "ACCESS_LOG_NOT_WRITABLE",
  },
  {
    what: "an access log that is a folder",
    lines: site("    access_log:", "      path: folder"),
    says: /:6:13 {2}sites\[0\]\.access_log\.path: the access log \S+folder cannot be written/,
    code: "ACCESS_LOG_NOT_WRITABLE",
  },
  {
    what: "a forward to its own site",
    lines: ["sites:", "  - listen: 127.0.0.1:65001", '    hosts: [{ forward: "http://localhost:65001" }]'],
    says: /:5:15 {2}sites\[0\]\.hosts\[0\]\.forward\.upstreams\[0\]: http:\/\/localhost:65001 is sites\[0\] itself/,
    code: "CONFIG_INVALID",
  },
  {
    what: "a forward to its own unix socket",
    lines: ["sites:", "  - listen: unix:/tmp/none.sock", '    hosts: [{ forward: "unix:/tmp/none.sock" }]'],
    says: /:5:15 {2}sites\[0\]\.hosts\[0\]\.forward\.upstreams\[0\]: unix:\/tmp\/none\.sock is sites\[0\] itself/,
    code: "CONFIG_INVALID",
  },
  {
    what: "an address beside one for all of the machine",
    lines: [
      "sites:",
      "  - listen: 0.0.0.0:65001",
      "    hosts: [{}]",
      "  - listen: 127.0.0.1:65001",
      "    hosts: [{}]",
    ],
    says: /:6:13 {2}sites\[1\]\.listen: sites\[0\] listens on 0\.0\.0\.0:65001, which takes 127\.0\.0\.1:65001 too/,
    code: "CONFIG_INVALID",
  },
  {
    what: "a port that another process has",
    lines: ["sites:", "  - listen: 127.0.0.1:PORT", "    hosts: [{}]"],
    says: /:4:13 {2}sites\[0\]\.listen: 127\.0\.0\.1:\d+ is in use by another process/,
    code: "PORT_IN_USE",
    runs: true,
  },
  {
    what: "an address of another machine",
    lines: ["sites:", "  - listen: 192.0.2.1:0", "    hosts: [{}]"],
    says: /:4:13 {2}sites\[0\]\.listen: cannot listen on 192\.0\.2\.1:0/,
    code: "LISTEN_FAILED",
    runs: true,
  },
];

describe.skipIf("missing" in openssl)("a configuration that cannot run", { timeout: 60_000 }, () => {
  let folder = "";
  let other: Server;
  const head = ["state: ./state", "admin: { listen: 127.0.0.1:0 }"];
  const text = ({ lines }: Pick<Case, "lines">): string =>
    `${[...head, ...lines].join("\n")}\n`.replace("PORT", String((other.address() as AddressInfo).port));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "posthouse-bad-"));
    const { issue } = createTestAuthority("path" in openssl ? openssl.path : "openssl", folder);
    for (const file of ["good", "other"]) issue({ file, names: [`DNS:${file}.example`] });
    await mkdir(join(folder, "folder"));
    await writeFile(join(folder, "text.txt"), "nothing of the kind\n");
    other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    await new Promise((resolve) => other.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  it.each(cases.filter(({ runs }) => runs !== true))("is refused by check: $what", async (one) => {
    await writeFile(join(folder, "p.yaml"), text(one));
    const { code, stdout, stderr } = await runCommand(["check", "-c", "p.yaml"], { cwd: folder });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(new RegExp(`p\\.yaml${one.says.source}`));
    expect(stderr).toContain(`[${one.code}]`);
  });

  it.each(cases)("is refused at the start: $what", async (one) => {
    await writeFile(join(folder, "p.yaml"), text(one));
    const { code, stderr } = await runCommand(["agent", "-c", "p.yaml"], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^posthouse: p\\.yaml${one.says.source}`, "m"));
    expect(stderr).toContain(`[${one.code}]`);
  });

  it("is told by check with all its problems at once", async () => {
    const lines = tls("none.pem", "good.key", "    access_log: { path: none/access.log }");
    await writeFile(
      join(folder, "p.yaml"),
      `${text({ lines })}`.replace("{ forward", "{ error_pages: { 502: none.html }, forward"),
    );
    const { code, stderr } = await runCommand(["check", "-c", "p.yaml"], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr.match(/p\.yaml:\d+:\d+ {2}/g)).toHaveLength(3);
  });

  it("is told by check with what is wrong in its certificates beside their authorities", async () => {
    const lines = tls("none.pem", "other.key", "      client_certificates: { ca: text.txt }");
    await writeFile(join(folder, "p.yaml"), text({ lines }));
    const { code, stderr } = await runCommand(["check", "-c", "p.yaml"], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /:11:34 {2}sites\[0\]\.tls\.client_certificates\.ca: the file \S+text\.txt holds no/,
    );
    expect(stderr).toMatch(
      new RegExp(`:9:17  ${certificate}\\.cert: the file \\S+none\\.pem cannot be read`),
    );
  });

  describe("at a reload", () => {
    let agent: PosthouseProcess;
    let admin = "";
    let site = "";
    const good = { lines: hosts("      - error_pages:", "          404: page.html") };
    const file = (): string => join(folder, "running.yaml");
    const get = async (path: string): Promise<string> => (await fetch(`http://${admin}${path}`)).text();
    interface Status {
      readonly configurationFailure?: {
        readonly code: string;
        readonly message: string;
        readonly since: string;
      };
    }
    const status = async (): Promise<Status> => JSON.parse(await get("/status")) as Status;
    const refusals = async (): Promise<number> =>
      Number(/^posthouse_config_reloads_total\{result="refused"\} (\d+)$/m.exec(await get("/metrics"))?.[1]);

    beforeAll(async () => {
      await writeFile(join(folder, "page.html"), "the old one");
      await writeFile(file(), text(good));
      agent = startPosthouse(["agent", "-c", file()]);
      const [line = ""] = await agent.printed(/^.*"agent started".*$/m, 30_000);
      ({
        admin,
        sites: [site = ""],
      } = JSON.parse(line) as { admin: string; sites: [string] });
    });
    afterAll(async () => {
      agent.signal("SIGKILL");
      await agent.exited;
    });

    async function isRefused(says: RegExp, code: string, before: number): Promise<void> {
      await until("it is refused", async () => (await refusals()) > before);
      const { configurationFailure } = await status();
      expect(configurationFailure?.code).toBe(code);
      expect(configurationFailure?.message).toMatch(new RegExp(`^${file()}${says.source}`));
      expect(await get("/metrics")).toMatch(
        new RegExp(`^posthouse_config_failing_since_seconds\\{code="${code}"\\} \\d+$`, "m"),
      );
      const lastTold = (): string =>
        agent
          .output()
          .split("\n")
          .findLast((line) => line.includes("the old one goes on")) ?? "";
      // What it prints comes through a pipe, later than what it answers.
      await until("it is told", () => Promise.resolve(lastTold().includes(code)));
      expect(await (await fetch(`http://${site}/`)).text()).toBe("the old one");
    }

    it.each(cases)("of the watched file is refused: $what", async ({ says, code, ...one }) => {
      const before = await refusals();
      await writeFile(file(), text(one));
      await isRefused(says, code, before);
    });

    it("by SIGHUP is refused, when a file that it names is gone; a repaired one is used, and nothing is said any more", async () => {
      await writeFile(file(), text(good));
      await until("it is used", async () => (await status()).configurationFailure === undefined);
      await rm(join(folder, "page.html"));
      const before = await refusals();
      agent.signal("SIGHUP");
      const says =
        /:7:16 {2}sites\[0\]\.hosts\[0\]\.error_pages\.404: the file \S+page\.html cannot be read: .*ENOENT/;
      await isRefused(says, "FILE_NOT_READABLE", before);
      await writeFile(join(folder, "page.html"), "the new one");
      agent.signal("SIGHUP");
      await until(
        "it is used",
        async () => (await (await fetch(`http://${site}/`)).text()) === "the new one",
      );
      expect((await status()).configurationFailure).toBeUndefined();
      expect(await get("/metrics")).not.toContain("posthouse_config_failing_since_seconds{");
      expect(await get("/metrics")).toMatch(/^posthouse_config_reloads_total\{result="used"\} [1-9]/m);
    });
  });
});

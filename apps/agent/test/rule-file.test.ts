import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, type Log, parseConfig } from "@posthouse/service";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { agentConfigSchema } from "../src/index.ts";
import { createFileReplica } from "../src/replica/file.ts";
import type { Replica } from "../src/replica/replica.ts";
import { loadRuleFile } from "../src/replica/rule-file.ts";
import { collectLog } from "./harness.ts";

const header = "type\tsource\ttarget\tstatus\n";
const row = (source: string, target = "/t"): string => `BASIC\t${source}\t${target}\t302\n`;

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-rule-file-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function make(file: string, log: Log = createLog({ format: "json", level: "silent" })): Replica {
  const text = JSON.stringify({ state: folder, projects: { shop: { file } } });
  const { projects, name } = parseConfig(text, "posthouse.yaml", agentConfigSchema, {});
  const { shop } = projects;
  if (!shop) throw new Error("no project");
  return createFileReplica({
    project: "shop",
    config: shop,
    agentName: name,
    state: folder,
    log,
    pollMs: 50,
  });
}

async function running(replica: Replica, test: () => Promise<void>): Promise<void> {
  await replica.start();
  try {
    await test();
  } finally {
    await replica.stop(2000);
  }
}

const answers = (replica: Replica, uri: string): string | undefined => {
  const match = replica.ruleSet?.match("a.example", uri);
  return match?.kind === "redirect" ? match.target : match?.content;
};
const untilAnswers = (replica: Replica, uri: string, target: string | undefined): Promise<void> =>
  vi.waitFor(() => expect(answers(replica, uri)).toBe(target), 10_000);

describe("rules from a file", () => {
  it.each([
    ["rules.tsv", header + row("/a")],
    ["rules.csv", "type,source,target,status\nBASIC,/a,/t,302\n"],
    ["rules.json", JSON.stringify([{ type: "BASIC", source: "/a", target: "/t", status: "FOUND" }])],
    ["rules.yaml", "- { type: BASIC, source: /a, target: /t, status: FOUND }\n"],
    ["_redirects", "/a /t 302\n"],
  ])("are read from %s", async (name, text) => {
    const path = join(folder, name);
    await writeFile(path, text);
    const replica = make(path);
    await running(replica, async () => {
      expect(answers(replica, "/a")).toBe("/t");
      expect(replica.status).toMatchObject({
        version: 1,
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        loadedFrom: "file",
        lastError: undefined,
        problems: 0,
        redirects: 1,
      });
    });
  });

  it("change when the file is written in place, replaced, or a link to it or to its folder is turned", async () => {
    for (const version of ["1", "2"]) {
      await mkdir(join(folder, `..${version}`));
      await writeFile(join(folder, `..${version}`, "rules.tsv"), header + row("/a", `/from-${version}`));
    }
    await symlink("..1", join(folder, "..data"));
    const path = join(folder, "rules.tsv");
    await symlink(join("..data", "rules.tsv"), path);
    const replica = make(path);
    await running(replica, async () => {
      expect(answers(replica, "/a")).toBe("/from-1");
      await symlink("..2", join(folder, "..data.new"));
      await rename(join(folder, "..data.new"), join(folder, "..data"));
      await untilAnswers(replica, "/a", "/from-2");
      await writeFile(join(folder, "other"), header + row("/a", "/renamed"));
      await rename(join(folder, "other"), path);
      await untilAnswers(replica, "/a", "/renamed");
      await writeFile(path, header + row("/a", "/in-place"));
      await untilAnswers(replica, "/a", "/in-place");
      expect(replica.status.version).toBe(4);
    });
  });

  it("keep their version when the file is written again as it was", async () => {
    const path = join(folder, "rules.tsv");
    await writeFile(path, header + row("/a"));
    const replica = make(path);
    await running(replica, async () => {
      await writeFile(path, `${header}broken`);
      await vi.waitFor(() => expect(replica.status.problems).toBe(1), 10_000);
      await writeFile(path, header + row("/a"));
      await vi.waitFor(() => expect(replica.status.version).toBe(3), 10_000);
      const { checkedAt, ruleSet } = { ...replica.status, ruleSet: replica.ruleSet };
      await writeFile(path, header + row("/a"));
      await vi.waitFor(
        () => expect(Number(replica.status.checkedAt)).toBeGreaterThan(Number(checkedAt) + 500),
        10_000,
      );
      expect(replica.status.version).toBe(3);
      expect(replica.ruleSet).toBe(ruleSet);
    });
  });

  it("are awaited while there is no file, and stay when it goes, as status and log say", async () => {
    const { log, entries } = collectLog();
    const path = join(folder, "rules.tsv");
    const replica = make(path, log);
    await running(replica, async () => {
      expect(replica.ruleSet).toBeUndefined();
      expect(replica.status.lastError).toMatchObject({ code: "RULE_FILE_MISSING" });
      await writeFile(path, header + row("/a"));
      await replica.ready();
      expect(answers(replica, "/a")).toBe("/t");
      await vi.waitFor(() => expect(replica.status.lastError).toBeUndefined(), 10_000);
      await rm(path);
      await vi.waitFor(
        () => expect(replica.status.lastError).toMatchObject({ code: "RULE_FILE_MISSING" }),
        10_000,
      );
      expect(answers(replica, "/a")).toBe("/t");
      await writeFile(path, header + row("/b"));
      await untilAnswers(replica, "/b", "/t");
      expect(answers(replica, "/a")).toBeUndefined();
    });
    const told = entries.filter(({ level }) => level === "warn").map(({ msg }) => msg);
    expect(told).toEqual(["no rules to serve yet", "the rules loaded before are served on"]);
    expect(entries).toContainEqual(expect.objectContaining({ msg: "the rule file is usable again" }));
  });

  it("stay when the file becomes unusable", async () => {
    const path = join(folder, "rules.json");
    const good = JSON.stringify([{ type: "BASIC", source: "/a", target: "/t", status: "FOUND" }]);
    await writeFile(path, good);
    const replica = make(path);
    await running(replica, async () => {
      await writeFile(path, good.slice(0, -10));
      await vi.waitFor(
        () => expect(replica.status.lastError).toMatchObject({ code: "RULE_FILE_UNUSABLE" }),
        10_000,
      );
      expect(replica.status.lastError?.message).toContain(path);
      expect([answers(replica, "/a"), replica.status.version]).toEqual(["/t", 1]);
      await writeFile(path, good);
      await vi.waitFor(() => expect(replica.status.lastError).toBeUndefined(), 10_000);
      expect(replica.status.version).toBe(1);
    });
  });

  it("are served but for those that are wrong, which are told with their line and position", async () => {
    const { log, entries } = collectLog();
    const path = join(folder, "rules.yaml");
    const text = `redirects:
  - { type: REGEX, source: "^/(", target: /t, status: FOUND }
  - { type: REGEX, source: "^/b$", target: /$1, status: FOUND }

  - { type: NOPE, source: /c, target: /t, status: FOUND }
  - { type: REGEX, source: "^/(a|a[bc]){1,8}(a|ab){1,99}$", target: /t, status: FOUND }
  - { type: BASIC, source: /caf\u00e9, target: /t, status: FOUND }
pages:
  - { type: BASIC, path: /page, content: hello, contentType: TEXT_PLAIN }
`;
    await writeFile(path, Buffer.from(text, "latin1"));
    const replica = make(path, log);
    await running(replica, async () => {
      expect([answers(replica, "/b"), answers(replica, "/page")]).toEqual(["/$1", "hello"]);
      expect(replica.status).toMatchObject({ problems: 5, redirects: 1, pages: 1 });
      expect(replica.problems).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ severity: "error", line: 2, code: "PATTERN_INVALID", position: 2 }),
          expect.objectContaining({ severity: "error", line: 5, field: "type" }),
          expect.objectContaining({ severity: "error", line: 6, code: "PATTERN_TOO_COSTLY" }),
          expect.objectContaining({ severity: "error", line: 7, code: "ENTRY_NOT_UTF8" }),
          expect.objectContaining({ severity: "warning", line: 3, code: "GROUP_MISSING" }),
        ]),
      );
    });
    expect(entries.filter(({ level }) => level === "warn")).toHaveLength(5);
  });

  it.each([
    [20, 0],
    [1000, 1],
  ])("are checked against the bounds of their project: pattern_size %i serves %i", async (size, count) => {
    const costly = "^/(a|a[bc]){1,30}(a|ab){1,30}$";
    const [tsv, json] = [join(folder, "rules.tsv"), join(folder, "rules.json")];
    await writeFile(tsv, `${header}REGEX\t${costly}\t/t\t302\n`);
    await writeFile(json, JSON.stringify([{ type: "REGEX", source: costly, target: "/t", status: "FOUND" }]));
    for (const path of [tsv, json]) {
      const loaded = await loadRuleFile(path, { rules: { patternSize: size } });
      expect([loaded?.ruleSet.redirects, loaded?.problemCount]).toEqual([count, 1 - count]);
    }
  });

  it("are refused as a whole beyond the bound on the size of a file", async () => {
    const path = join(folder, "rules.tsv");
    await writeFile(path, Buffer.alloc(64 * 1024 * 1024 + 1, "\n"));
    await expect(loadRuleFile(path)).rejects.toMatchObject({
      code: "RULE_FILE_UNUSABLE",
      message: expect.stringContaining("larger than 64 MiB"),
    });
  });

  it("are no longer read once the agent stops", async () => {
    const path = join(folder, "rules.tsv");
    await writeFile(path, header + Array.from({ length: 50_000 }, (_, index) => row(`/${index}`)).join(""));
    const replica = make(path);
    const started = replica.start();
    await replica.stop(2000);
    await started;
    expect(replica.ruleSet).toBeUndefined();
    await expect(loadRuleFile(path, { signal: AbortSignal.abort(new Error("stopped")) })).rejects.toThrow(
      "stopped",
    );
  });
});

describeLifecycle({
  name: "a file's replica",
  async create() {
    const path = join(folder, "rules.tsv");
    await writeFile(path, header + row("/a"));
    return { part: make(path) };
  },
});

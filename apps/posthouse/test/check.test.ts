import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { folderWith, runCommand } from "./run-command.ts";

const config = (more = ""): string =>
  `state: ./state\nprojects:\n  shop: { file: rules.json }\n  blog: { file: _redirects }\n${more}`;
const rule = (fields: object): string =>
  JSON.stringify({ type: "BASIC", source: "/a", target: "/b", status: "FOUND", ...fields });
const good = `[${rule({})}]`;
const timeout = 60_000;

describe("posthouse check", { timeout }, () => {
  it("passes a configuration with its rule files", async () => {
    const cwd = await folderWith({ "p.yaml": config(), "rules.json": good, _redirects: "/x /y 302\n" });
    const { code, stdout, stderr } = await runCommand(["check", "-c", "p.yaml"], { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^p\.yaml: no problem found\n/);
    expect(stdout).toMatch(/rules\.json: 1 redirect and 0 pages, no problem found\n/);
    expect(stdout).toMatch(/_redirects: 1 redirect and 0 pages, no problem found\n/);
  });

  it("tells every problem of a configuration with line, column and the key that was meant", async () => {
    const cwd = await folderWith({ "p.yaml": config("sties: []\n"), "rules.json": good });
    const { code, stderr } = await runCommand(["check", "-c", "p.yaml"], { cwd });
    expect(code).toBe(2);
    expect(stderr).toMatch(/p\.yaml:5:1 {2}sties: unknown key; did you mean "sites"\?/);
  });

  it.each([
    ["a flag file that is not there", {}, /p\.yaml:4:9 {2}flags\.file: there is no flag file \S+flags\.json/],
    ["half a dump", { "flags.json": '{"items":[' }, /p\.yaml:4:9 {2}flags\.file: .+not JSON/],
  ])("refuses %s", async (_, files, message) => {
    const text = "state: ./state\nflags:\n  mode: offline\n  file: flags.json\n";
    const cwd = await folderWith({ "p.yaml": text, ...files });
    const { code, stderr } = await runCommand(["check", "-c", "p.yaml"], { cwd });
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it("refuses ids of environments that cannot be, at their place", async () => {
    const lines = [
      "state: ./state",
      "flags:",
      "  mode: offline",
      "  file: flags.json",
      "  secrets:",
      "    shop:prod: []",
      "  relay_keys:",
      "    - { key: rp-far, environments: [shop] }",
    ];
    const cwd = await folderWith({ "p.yaml": lines.join("\n"), "flags.json": '{"items":[]}' });
    const { code, stderr } = await runCommand(["check", "-c", "p.yaml"], { cwd });
    expect(code).toBe(2);
    expect(stderr).toMatch(/p\.yaml:6:5 {2}flags\.secrets\.shop:prod: expected the id of an environment/);
    expect(stderr).toMatch(/p\.yaml:8:37 {2}flags\.relay_keys\[0\]\.environments\[0\]: expected PROJECT:ENV/);
  });

  it("finds what is wrong in the rule files of a configuration", async () => {
    const files = { "rules.json": `[\n${rule({ type: "REGEX", source: "^/a(" })}]`, _redirects: "/x\n" };
    const cwd = await folderWith({ "p.yaml": config(), ...files });
    const { code, stdout } = await runCommand(["check", "-c", "p.yaml"], { cwd });
    expect(code).toBe(2);
    expect(stdout).toMatch(/rules\.json:2:3\d {2}error {2}source: .+ \[PATTERN_INVALID\]/);
    expect(stdout).toMatch(/_redirects:1:1 {2}error {2}.+ \[LINE_NOT_OFFERED\]/);
  });

  it("takes the project's own bound for what a pattern may cost", async () => {
    const long = rule({ type: "REGEX", source: "^/(?:[a-z]{1,9}[0-9]{1,9}){1,30}$" });
    const limits = "projects:\n  shop: { file: rules.json, limits: { pattern_size: 5000 } }\n";
    const cwd = await folderWith({ "p.yaml": `state: ./state\n${limits}`, "rules.json": `[${long}]` });
    expect((await runCommand(["check", "-c", "p.yaml"], { cwd })).code).toBe(0);
    const alone = await runCommand(["check", "--rules", "rules.json"], { cwd });
    expect([alone.code, alone.stdout]).toEqual([2, expect.stringContaining("[PATTERN_TOO_COSTLY]")]);
  });

  it("shows places, codes and hints, errors first, and lets warnings pass", async () => {
    const tsv = [
      "type\tsource\ttarget\tstatus",
      "",
      "REGEX\t^/(.*)/$\t/$1\t301",
      "BASIC\tno-slash\t/b\t301",
      '"REGEX"\t"^/(en|es)/x$"\t/b\tFOUND',
      "BASIC\t/only-three\t301",
    ];
    const cwd = await folderWith({ "list.tsv": tsv.join("\n"), "warn.tsv": tsv.slice(0, 3).join("\n") });
    const { code, stdout } = await runCommand(["check", "--rules", "list.tsv"], { cwd });
    expect(code).toBe(2);
    const lines = stdout.split("\n").filter((line) => line.startsWith("list.tsv:"));
    expect(lines).toEqual([
      expect.stringMatching(/^list\.tsv:4:7 {2}error {2}source: .+ \[SOURCE_NOT_ROOTED\]$/),
      expect.stringMatching(/^list\.tsv:6:1 {2}error {2}.+ \[INVALID_FORMAT\]$/),
      expect.stringMatching(/^list\.tsv:3:17 {2}warning {2}target: .+\/\/evil.+ \[TARGET_MAY_LEAVE_SITE\]$/),
      expect.stringMatching(/^list\.tsv:5:10 {2}warning {2}source: .+ \[PATTERN_MISSED_BY_FLECTO\]$/),
      "list.tsv: 2 errors and 2 warnings in 2 redirects and 0 pages",
    ]);
    expect(stdout).toMatch(/\n {4}Start it with \//);
    const warned = await runCommand(["check", "--rules", "warn.tsv"], { cwd });
    expect([warned.code, warned.stdout]).toEqual([0, expect.stringContaining("0 errors and 1 warning in")]);
  });

  it("shows the first 50 of many problems and counts them all, in a packed file", async () => {
    const rows = Array.from({ length: 1200 }, (_, index) => `BASIC\tx${index}\t/b\t301\n`);
    const text = `type\tsource\ttarget\tstatus\n${rows.join("")}REGEX\t^/(\t/b\t301\n`;
    const cwd = await folderWith({ "many.tsv.gz": gzipSync(text) });
    const { code, stdout } = await runCommand(["check", "--rules", "many.tsv.gz"], { cwd });
    expect(code).toBe(2);
    expect(stdout.match(/^many\.tsv\.gz:\d/gm)).toHaveLength(50);
    expect(stdout).toContain("and 1,151 more\n");
    expect(stdout).toMatch(/^1,200 {2}error {4}SOURCE_NOT_ROOTED$/m);
    expect(stdout).toMatch(/^ {4}1 {2}error {4}PATTERN_INVALID$/m);
    expect(stdout).toMatch(/1,201 errors and 0 warnings in 0 redirects and 0 pages\n$/);
  });

  it.each([
    [["check"], /give a configuration with -c FILE, or a rule file with --rules FILE \[USAGE\]/],
    [["check", "--rules", "rules.txt"], /tells no format \[RULES_UNREADABLE\]\n {2}Say it with --format/],
    [["check", "--rules", "rules.txt", "--format", "jsn"], /"jsn"; did you mean "json"\? \[FORMAT_UNKNOWN\]/],
    [["check", "--rules", "gone.json"], /cannot read gone\.json: ENOENT.+ \[FILE_UNREADABLE\]/],
    [["check", "--rules", "rules.txt", "--format", "json"], /rules\.txt: .+ \[RULES_UNREADABLE\]/],
  ])("%j exits with 2 and says what to do", async (args, message) => {
    const cwd = await folderWith({ "rules.txt": "{" });
    const { code, stderr } = await runCommand(args, { cwd });
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

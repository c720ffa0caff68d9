import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const script = join(import.meta.dirname, "..", "..", "scripts", "conformance.ts");
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-conformance-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function conformance(...args: string[]): { status: number | null; lines: string[]; errors: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=posthouse-source", script, ...args],
    { encoding: "utf8" },
  );
  return { status, lines: stdout.trimEnd().split("\n"), errors: stderr };
}

const vector = {
  name: "a hit",
  level: "match",
  redirects: [{ type: "BASIC", source: "/old", target: "/new", status: "FOUND" }],
  pages: [],
  request: { host: "example.com", uri: "/old" },
  expect: { kind: "redirect", redirect_index: 0, target: "/new", status: 302 },
};

describe("the conformance command", () => {
  it("tells what passed and what failed", async () => {
    const file = join(folder, "cases.json");
    const wrong = { ...vector, name: "a miss", expect: null };
    await writeFile(file, JSON.stringify([vector, wrong]));
    const { status, lines } = conformance("flecto", file);
    expect(lines[0]).toMatch(/^FAILED a miss: with compat: flecto: expected null, found/);
    expect(lines).toHaveLength(2);
    expect(lines.at(-1)).toBe("1 passed, 1 failed");
    expect(status).toBe(1);
  });

  it("refuses a level that nothing runs", async () => {
    const file = join(folder, "level.json");
    await writeFile(file, JSON.stringify([{ ...vector, level: "graphql" }]));
    expect(conformance("flecto", file)).toMatchObject({
      status: 2,
      errors: expect.stringMatching(/0\.level/),
    });
  });

  it("tells how many cases a suite left out", async () => {
    const file = join(folder, "featbit.json");
    await writeFile(file, JSON.stringify({ tokens: [{ token: "", valid: false }], frames: [1, 2] }));
    expect(conformance("featbit", file)).toMatchObject({
      status: 0,
      lines: ["1 passed, 0 failed, 2 left out"],
    });
  });

  it("ends with 0 when all passed and with 1 when nothing ran", async () => {
    const file = join(folder, "good.json");
    await writeFile(file, JSON.stringify([vector]));
    expect(conformance("flecto", file)).toMatchObject({ status: 0, lines: ["1 passed, 0 failed"] });
    await writeFile(file, "[]");
    expect(conformance("flecto", file)).toMatchObject({ status: 1, lines: ["0 passed, 0 failed"] });
  });

  it("lists the suites when it does not know one", () => {
    const { status, errors } = conformance("nope", "cases.json");
    expect(status).toBe(2);
    expect(errors).toMatch(/there is no suite "nope"[\s\S]*\n {2}flecto /);
  });

  it("says in one line that a file is missing or holds something else", async () => {
    const missing = join(folder, "missing.json");
    expect(conformance("flecto", missing)).toMatchObject({
      status: 2,
      errors: `${missing}: there is no such file\n`,
    });
    const other = join(folder, "other.json");
    await writeFile(other, "{}");
    expect(conformance("flecto", other).errors).toMatch(/^\S+: no cases of Flecto: .*\n$/);
    await writeFile(other, "{");
    expect(conformance("flecto", other).errors).toMatch(/^\S+: no JSON: .*\n$/);
  });
});

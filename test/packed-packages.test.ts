import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildPackage, publicPackages } from "../scripts/build.ts";

const root = join(import.meta.dirname, "..");
const bin = join(root, "node_modules", ".bin");
const node26 = join(root, "node_modules", "node", "bin", "node");
const node22 = join(root, "node_modules", "node22", "bin", "node");
let folder: string;

function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "", PATH: `${bin}:${process.env.PATH}` },
  });
  if (status !== 0)
    throw new Error(`${basename(program)} ${args.join(" ")}: ${error ?? ""}\n${stdout}\n${stderr}`);
  return stdout;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "posthouse-packed-"));
  const tarballs = publicPackages.map((path) => {
    buildPackage(root, path);
    run(join(bin, "publint"), ["--strict", path], root);
    const [packed] = JSON.parse(
      run("npm", ["pack", "--json", "--pack-destination", folder], join(root, path)),
    ) as [{ filename: string }];
    return join(folder, packed.filename);
  });
  writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}');
  run(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", ...tarballs],
    folder,
  );
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = `
import { compileRules } from "@posthouse/rules";
import { createClient } from "@posthouse/client";
import { createFileStore } from "@posthouse/client/node";
import { redirectStatuses } from "@posthouse/protocol";
const rules = compileRules([{ id: 1, kind: "redirect", type: "REGEX", source: "^/a/(\\\\d+)$", target: "/b/$1", status: "FOUND" }]);
const client = createClient({
  manager: { url: "http://127.0.0.1:9", namespace: "n", project: "p", token: "t" },
  agent: { name: "a" },
  store: createFileStore("./snapshot"),
});
await client.start();
await client.stop(1000);
console.log(rules.match("h", "/a/7")?.target, redirectStatuses.FOUND);
`;

describe("packed packages, installed in an empty folder", () => {
  it.each([
    ["22", node22],
    ["26", node26],
  ])("the libraries start under Node %s", (major, node) => {
    writeFileSync(join(folder, "use.js"), program);
    expect(run(node, ["--version"], folder)).toMatch(new RegExp(`^v${major}\\.`));
    expect(run(node, ["use.js"], folder).trim()).toBe("/b/7 302");
  });

  it("the command starts under Node 26", () => {
    const command = join(folder, "node_modules", "posthouse", "bin", "posthouse.mjs");
    expect(run(node26, [command, "--version"], folder)).toMatch(/^posthouse \d+\.\d+\.\d+/);
    expect(run(node26, [command, "schema"], folder)).toContain('"sites"');
  });

  it("the command says under Node 22 what it needs", () => {
    const command = join(folder, "node_modules", "posthouse", "bin", "posthouse.mjs");
    const { status, stderr } = spawnSync(node22, [command, "--version"], { cwd: folder, encoding: "utf8" });
    expect(status).toBe(2);
    expect(stderr).toMatch(/needs Node 24 or newer/);
  });
});

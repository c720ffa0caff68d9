import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildPackage, publicPackages } from "../scripts/build.ts";

const root = join(import.meta.dirname, "..");
const bin = join(root, "node_modules", ".bin");
const node26 = join(root, "node_modules", "node", "bin", "node");
const node22 = join(root, "node_modules", "node22", "bin", "node");
let folder: string;
/** Has the client and what it needs, and no framework. */
let bare: string;

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
  bare = mkdtempSync(join(tmpdir(), "posthouse-bare-"));
  const tarballs = publicPackages.map((path) => {
    buildPackage(root, path);
    run(join(bin, "publint"), ["--strict", path], root);
    const [packed] = JSON.parse(
      run("npm", ["pack", "--json", "--pack-destination", folder], join(root, path)),
    ) as [{ filename: string }];
    return join(folder, packed.filename);
  });
  const ofClient = tarballs.filter((_, index) =>
    /(protocol|rules|client)$/.test(publicPackages[index] ?? ""),
  );
  for (const [place, files] of [
    [folder, tarballs],
    [bare, ofClient],
  ] as const) {
    writeFileSync(join(place, "package.json"), '{"private":true,"type":"module"}');
    run(
      "npm",
      ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", ...files],
      place,
    );
  }
}, 400_000);
afterAll(() => {
  for (const place of [folder, bare]) rmSync(place, { recursive: true, force: true });
});

const program = `
import { compileRules } from "@posthouse/rules";
import { createClient } from "@posthouse/client";
import { createFileStore } from "@posthouse/client/node";
import { redirectStatuses } from "@posthouse/protocol";
import { rolloutOf } from "@posthouse/flags";
const rules = compileRules([{ id: 1, kind: "redirect", type: "REGEX", source: "^/a/(\\\\d+)$", target: "/b/$1", status: "FOUND" }]);
const client = createClient({
  manager: { url: "http://127.0.0.1:9", namespace: "n", project: "p", token: "t" },
  agent: { name: "a" },
  store: createFileStore("./snapshot"),
});
await client.start();
await client.stop(1000);
console.log(rules.match("h", "/a/7")?.target, redirectStatuses.FOUND, rolloutOf("betau1"));
`;

const adaptersProgram = `
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { compileRules } from "@posthouse/rules";
import { createNodeMiddleware } from "@posthouse/client/node";
import { createFetchHandler } from "@posthouse/client/fetch";
import { createExpressMiddleware } from "@posthouse/client/express";
import { createFastifyHook } from "@posthouse/client/fastify";
import { createHonoMiddleware } from "@posthouse/client/hono";
const source = { ruleSet: compileRules([{ id: 1, kind: "redirect", type: "BASIC", source: "/a", target: "/b", status: "FOUND" }]) };
createFastifyHook(source);
createHonoMiddleware(source);
const locations = [createFetchHandler(source)(new Request("http://h/a")).headers.get("location")];
for (const create of [createNodeMiddleware, createExpressMiddleware]) {
  const answer = create(source);
  const server = createServer((request, response) => answer(request, response, () => response.end()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const response = await fetch("http://127.0.0.1:" + server.address().port + "/a", { redirect: "manual" });
  locations.push(response.headers.get("location"));
  server.close();
  server.closeAllConnections();
}
const required = createRequire(import.meta.url)("@posthouse/client/express");
console.log(locations.join(" "), required.createExpressMiddleware === createExpressMiddleware);
`;

describe("packed packages, installed in an empty folder", () => {
  it.each([
    ["22", node22],
    ["26", node26],
  ])("the libraries start under Node %s", (major, node) => {
    writeFileSync(join(folder, "use.js"), program);
    expect(run(node, ["--version"], folder)).toMatch(new RegExp(`^v${major}\\.`));
    expect(run(node, ["use.js"], folder).trim()).toBe("/b/7 302 0.32014600839465857");
  });

  it.each([
    ["22", node22],
    ["26", node26],
  ])(
    "the client's adapters start under Node %s without any framework, imported and required",
    (_major, node) => {
      for (const framework of ["express", "fastify", "hono"]) {
        expect(existsSync(join(bare, "node_modules", framework)), framework).toBe(false);
      }
      writeFileSync(join(bare, "use.js"), adaptersProgram);
      expect(run(node, ["use.js"], bare).trim()).toBe("/b /b /b true");
    },
  );

  it("the command starts under Node 26", () => {
    const command = join(folder, "node_modules", "posthouse", "bin", "posthouse.mjs");
    expect(run(node26, [command, "--version"], folder)).toMatch(/^posthouse \d+\.\d+\.\d+/);
    expect(run(node26, [command, "schema"], folder)).toContain('"sites"');
  });

  it("the command says under Node 22 what it needs", () => {
    const command = join(folder, "node_modules", "posthouse", "bin", "posthouse.mjs");
    const { status, stderr } = spawnSync(node22, [command, "--version"], { cwd: folder, encoding: "utf8" });
    expect(status).toBe(2);
    expect(stderr).toMatch(/needs Node 24\.9 or newer/);
  });
});

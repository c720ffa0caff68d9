import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const folders: string[] = [];

/** A small repository with our configuration and the given files, outside this one. */
function plant(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "posthouse-gate-"));
  folders.push(folder);
  for (const config of [
    "tsconfig.json",
    "biome.json",
    "knip.json",
    ".dependency-cruiser.cjs",
    "package.json",
    ".gitignore",
  ]) {
    cpSync(join(root, config), join(folder, config));
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  spawnSync("git", ["init", "-q"], { cwd: folder });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function run(folder: string, program: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(join(root, "node_modules", ".bin", program), args, {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe("every gate refuses a planted violation", () => {
  it("biome refuses a lint error", () => {
    const folder = plant({
      "packages/rules/src/a.ts": 'import { readFileSync } from "fs";\nexport const a = 1;\n',
    });
    const { status, output } = run(folder, "biome", "check", "packages");
    expect(status).not.toBe(0);
    expect(output).toMatch(/useNodejsImportProtocol/);
  });

  it("biome refuses a focused test", () => {
    const folder = plant({
      "packages/rules/test/a.test.ts": 'it.only("x", () => {\n  expect(1).toBe(1);\n});\n',
    });
    const { status, output } = run(folder, "biome", "check", "packages");
    expect(status).not.toBe(0);
    expect(output).toMatch(/noFocusedTests/);
  });

  it("biome refuses unformatted code", () => {
    const folder = plant({ "packages/rules/src/a.ts": "export const   a = 1\n" });
    const { status, output } = run(folder, "biome", "check", "packages");
    expect(status).not.toBe(0);
    expect(output).toMatch(/format/);
  });

  it("tsc refuses a wrong type and syntax that Node cannot strip", () => {
    const folder = plant({
      "packages/rules/src/a.ts": 'export const a: number = "one";\nexport enum Colour {\n  Red,\n}\n',
    });
    const { status, output } = run(folder, "tsc", "--noEmit", "-p", ".");
    expect(status).not.toBe(0);
    expect(output).toMatch(/TS2322/);
    expect(output).toMatch(/TS1294/);
  });

  it("tsc refuses an export without its type", () => {
    const folder = plant({
      "packages/rules/src/a.ts": "export function f() {\n  return Math.random();\n}\n",
    });
    const { status, output } = run(folder, "tsc", "--noEmit", "-p", ".");
    expect(status).not.toBe(0);
    expect(output).toMatch(/TS9007/);
  });

  it("knip refuses an unused file, an unused export and an unused dependency", () => {
    const folder = plant({
      "packages/rules/package.json": JSON.stringify({
        name: "@posthouse/rules",
        type: "module",
        dependencies: { re2js: "*" },
        exports: { ".": { "posthouse-source": "./src/index.ts", default: "./dist/index.js" } },
      }),
      "packages/rules/src/index.ts": 'export { a } from "./a.ts";\n',
      "packages/rules/src/a.ts": "export const a = 1;\nexport const unusedExport = 2;\n",
      "packages/rules/src/orphan.ts": "export const b = 3;\n",
    });
    const { status, output } = run(folder, "knip");
    expect(status).not.toBe(0);
    expect(output).toMatch(/orphan\.ts/);
    expect(output).toMatch(/unusedExport/);
    expect(output).toMatch(/re2js/);
  });

  it("publint refuses a package whose entry does not exist", () => {
    const folder = plant({
      "packages/rules/package.json": JSON.stringify({
        name: "x",
        version: "1.0.0",
        type: "module",
        exports: "./no.js",
      }),
    });
    const { status, output } = run(folder, "publint", "packages/rules", "--pack", "false");
    expect(status).not.toBe(0);
    expect(output).toMatch(/no\.js/);
  });
});

describe("dependency-cruiser", () => {
  const violations: Record<string, readonly [from: string, to: string]> = {
    "protocol-stands-alone": ["packages/protocol/src/a.ts", "packages/rules/src/x.ts"],
    "rules-import-protocol-only": ["packages/rules/src/a.ts", "packages/client/src/x.ts"],
    "flags-import-protocol-and-rules-only": ["packages/flags/src/a.ts", "packages/client/src/x.ts"],
    "service-imports-protocol-only": ["packages/service/src/a.ts", "packages/client/src/x.ts"],
    "client-below-agent": ["packages/client/src/a.ts", "apps/agent/src/x.ts"],
    "agent-imports-packages-only": ["apps/agent/src/a.ts", "apps/manager/src/x.ts"],
    "manager-imports-no-agent-side": ["apps/manager/src/a.ts", "packages/client/src/x.ts"],
    "command-imports-apps-and-packages": ["apps/posthouse/src/a.ts", "testkit/src/x.ts"],
    "pure-packages-use-no-node-builtins": ["packages/rules/src/b.ts", "node:fs"],
    "agent-redirects-imports-no-other-job": ["apps/agent/src/redirects/a.ts", "apps/agent/src/admin/x.ts"],
    "agent-proxy-imports-no-other-job": ["apps/agent/src/proxy/a.ts", "apps/agent/src/admin/x.ts"],
    "agent-flags-imports-no-other-job": ["apps/agent/src/flags/a.ts", "apps/agent/src/admin/x.ts"],
    "agent-events-imports-no-other-job": ["apps/agent/src/events/a.ts", "apps/agent/src/admin/x.ts"],
    "agent-admin-imports-no-other-job": ["apps/agent/src/admin/a.ts", "apps/agent/src/redirects/x.ts"],
    "agent-spool-imports-core-only": ["apps/agent/src/spool/a.ts", "apps/agent/src/events/x.ts"],
    "only-engines-know-node-http": ["apps/agent/src/redirects/b.ts", "node:http"],
    "only-two-files-know-ws": ["apps/agent/src/redirects/d.ts", "node_modules/ws/x.ts"],
    "only-connections-know-broker-libraries": ["apps/agent/src/events/b.ts", "amqplib"],
    "only-replica-touches-snapshots": ["apps/agent/src/redirects/c.ts", "packages/client/src/node.ts"],
    "tests-are-not-imported": ["packages/rules/src/c.ts", "packages/rules/test/x.ts"],
    "not-to-unresolvable": ["packages/rules/src/d.ts", "packages/rules/src/missing.ts"],
    "no-circular": ["packages/rules/src/e.ts", "packages/rules/src/f.ts"],
  };

  it("refuses each forbidden import by the name of its rule", () => {
    const files: Record<string, string> = {
      "packages/rules/src/f.ts": 'import "./e.ts";\n',
    };
    for (const [from, to] of Object.values(violations)) {
      const up = "../".repeat(from.split("/").length - 1);
      const isPackage = !to.includes("/");
      files[from] = `import "${isPackage ? to : up + to}";\n`;
      if (!isPackage && !to.includes("missing")) files[to] ??= "export const x = 1;\n";
    }
    const { status, output } = run(
      plant(files),
      "depcruise",
      "--config",
      ".dependency-cruiser.cjs",
      "packages",
      "apps",
      "testkit",
    );
    expect(status).not.toBe(0);
    for (const [rule, [from]] of Object.entries(violations)) {
      expect(output).toMatch(new RegExp(`error ${rule}: ${from.replaceAll(".", "\\.")}`));
    }
  });

  it("has a planted violation for each of its rules", () => {
    const { forbidden } = createRequire(import.meta.url)("../.dependency-cruiser.cjs") as {
      forbidden: { name: string }[];
    };
    expect(forbidden.map(({ name }) => name).toSorted()).toEqual(Object.keys(violations).toSorted());
  });
});

describe("npm test", () => {
  it("exits 1 and counts what failed", () => {
    const folder = plant({
      "vitest.config.ts": "export default {};\n",
      "a.test.ts":
        'import { expect, it } from "vitest";\nit("holds", () => expect(1).toBe(1));\nit("fails", () => expect(1).toBe(2));\n',
    });
    const { status, stdout } = spawnSync(process.execPath, [join(root, "scripts", "test.ts"), "a.test.ts"], {
      cwd: folder,
      encoding: "utf8",
      env: {
        ...process.env,
        PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH}`,
        VITEST: undefined,
      },
    });
    expect(status).toBe(1);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("1 passed, 1 failed");
  });
});

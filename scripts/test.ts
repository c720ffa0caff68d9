/**
 * `npm test`: the gates one after another, then every test. `npm run lint` runs the gates alone.
 * Further arguments go to Vitest: `npm test -- packages/rules` runs the tests of one folder, without the gates.
 * The last line says `N passed, N failed`, with `, N skipped` where some were.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const gates: readonly { name: string; proves: string; command: readonly string[] }[] = [
  { name: "biome", proves: "format and lint", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "tsc", proves: "types", command: ["tsc", "--noEmit", "-p", "."] },
  {
    name: "dependency-cruiser",
    proves: "who imports whom",
    command: [
      "depcruise",
      "--config",
      ".dependency-cruiser.cjs",
      "packages",
      "apps",
      "testkit",
      "bench",
      "scripts",
    ],
  },
  { name: "knip", proves: "nothing unused", command: ["knip"] },
];

const args = process.argv.slice(2);
const gatesOnly = args[0] === "--gates";
const counts: Counts = { passed: 0, failed: 0, skipped: 0 };

if (gatesOnly || args.length === 0) {
  for (const gate of gates) {
    const startedAt = performance.now();
    const { code, output } = await run(gate.command, "pipe");
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    if (code === 0) counts.passed += 1;
    else counts.failed += 1;
    console.log(`${code === 0 ? "ok    " : "FAILED"} ${gate.name} (${gate.proves}) ${seconds} s`);
    if (code !== 0) console.log(output.trimEnd());
  }
}
if (!gatesOnly) await runVitest(args);

const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;

async function runVitest(filters: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-test-"));
  const report = join(folder, "report.json");
  const { code } = await run(
    ["vitest", "run", "--reporter=dot", "--reporter=json", `--outputFile.json=${report}`, ...filters],
    "inherit",
  );
  try {
    const result = JSON.parse(await readFile(report, "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
      numPendingTests: number;
      numTodoTests: number;
      testResults: { status: string; name: string; assertionResults: { status: string; title: string }[] }[];
    };
    counts.passed += result.numPassedTests;
    counts.failed += result.numFailedTests;
    counts.skipped += result.numPendingTests + result.numTodoTests;
    for (const file of result.testResults) {
      for (const test of file.assertionResults) {
        if (test.status === "pending" || test.status === "skipped") console.log(`skipped: ${test.title}`);
      }
    }
    const broken = result.testResults.filter(
      (file) => file.status === "failed" && file.assertionResults.length === 0,
    );
    counts.failed += broken.length;
    if (code !== 0 && counts.failed === 0) counts.failed += 1;
  } catch (error) {
    console.error(`Vitest left no report: ${String(error)}`);
    counts.failed += 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run(
  command: readonly string[],
  mode: "pipe" | "inherit",
): Promise<{ code: number; output: string }> {
  const [program, ...rest] = command;
  if (program === undefined) throw new Error("an empty command");
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: ["ignore", mode, mode] });
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on("error", reject);
    child.on("exit", (code) => resolve({ code: code ?? 1, output }));
  });
}

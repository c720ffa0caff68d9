/**
 * `npm run conformance -- SUITE FILE`: a line per failure; the last line says `N passed, N failed`, and `, N left out`
 * where a suite leaves cases out.
 * Exit codes: 0 all passed, 1 a case failed, 2 it could not run.
 */
import { readFile } from "node:fs/promises";
import { featbit } from "./conformance-featbit.ts";
import { flecto } from "./conformance-flecto.ts";
import { ConformanceFileError, type ConformanceSuite } from "./conformance-suite.ts";

const suites: Readonly<Record<string, ConformanceSuite>> = { flecto, featbit };

process.exitCode = await main(process.argv.slice(2));

async function main([name, file, ...rest]: readonly string[]): Promise<number> {
  const suite = Object.entries(suites).find(([known]) => known === name)?.[1];
  if (suite === undefined || file === undefined || rest.length > 0) {
    if (name !== undefined && suite === undefined) console.error(`there is no suite "${name}"`);
    console.error("npm run conformance -- SUITE FILE");
    for (const [known, { description }] of Object.entries(suites)) {
      console.error(`  ${known.padEnd(12)} ${description}`);
    }
    return 2;
  }
  try {
    const { passed, failures, leftOut } = await suite.run(await readCases(file));
    for (const { name, message } of failures) console.log(`FAILED ${name}: ${message}`);
    const rest = leftOut === undefined ? "" : `, ${leftOut} left out`;
    console.log(`${passed} passed, ${failures.length} failed${rest}`);
    return failures.length === 0 && passed > 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof ConformanceFileError)) throw error;
    console.error(`${file}: ${error.message}`);
    return 2;
  }
}

async function readCases(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new ConformanceFileError(`no JSON: ${error.message}`);
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new ConformanceFileError(code === "ENOENT" ? "there is no such file" : `cannot be read (${code})`);
  }
}

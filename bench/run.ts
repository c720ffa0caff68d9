/**
 * `npm run bench -- NAME [--data DIR] [--rounds N] [--seconds S]`: measures something of ours beside a real peer in one run, prints a
 * table, writes results/NAME.json, exits 1 when a case misses its budget (budgets.json) and 2 when it could not run.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Bench, BenchSkipped, type JudgedCase } from "./bench.ts";
import { type Budgets, formatTable, judge, missingCases } from "./judge.ts";

const here = import.meta.dirname;
const defaultRounds = 5;

process.exitCode = await main();

async function main(): Promise<number> {
  const args = readArguments();
  if (typeof args === "string") {
    console.error(args);
    return 2;
  }
  const names = (await readdir(here))
    .filter((file) => file.endsWith(".bench.ts"))
    .map((file) => file.slice(0, -9));
  const { name } = args;
  if (name === undefined || !names.includes(name)) {
    const lines = await Promise.all(
      names.toSorted().map(async (each) => `  ${each.padEnd(12)} ${(await load(each)).description}`),
    );
    const unknown = name === undefined ? "" : `there is no bench "${name}"\n`;
    console.error(
      `${unknown}npm run bench -- NAME [--data DIR] [--rounds N] [--seconds S]\n${lines.join("\n")}`,
    );
    return 2;
  }
  return run(name, args);
}

interface Arguments {
  readonly name: string | undefined;
  readonly data: string | undefined;
  readonly rounds: number;
  readonly seconds: number | undefined;
}

function readArguments(): Arguments | string {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        data: { type: "string" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    const rounds = Number(values.rounds ?? defaultRounds);
    if (!Number.isInteger(rounds) || rounds < 1)
      return `--rounds ${values.rounds}: expected a whole number from 1`;
    const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
    if (seconds !== undefined && !(seconds > 0))
      return `--seconds ${values.seconds}: expected a number above 0`;
    if (positionals.length > 1) return `one bench at a time, not ${positionals.join(" and ")}`;
    return { name: values.help === true ? undefined : positionals[0], data: values.data, rounds, seconds };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function load(name: string): Promise<Bench> {
  const module = (await import(`./${name}.bench.ts`)) as { bench: Bench };
  return module.bench;
}

async function run(name: string, { data, rounds, seconds }: Arguments): Promise<number> {
  const budgets = JSON.parse(await readFile(join(here, "budgets.json"), "utf8")) as Budgets;
  const bench = await load(name);
  const progress = (text: string): void => console.error(text);
  const cases: JudgedCase[] = [];
  try {
    for await (const measured of bench.run({ data, rounds, seconds, progress }))
      cases.push(judge(budgets, name, measured));
  } catch (error) {
    if (!(error instanceof BenchSkipped)) throw error;
    console.error(`NOT RUN: ${error.message}`);
    return 2;
  }
  console.log(formatTable(cases));
  await writeResult(name, data, rounds, cases);
  const missing = missingCases(budgets, name, cases);
  for (const each of missing)
    console.error(`budgets.json has a budget for "${each}", which was not measured`);
  return missing.length === 0 && cases.every(({ ok }) => ok) ? 0 : 1;
}

async function writeResult(
  name: string,
  data: string | undefined,
  rounds: number,
  cases: JudgedCase[],
): Promise<void> {
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
  const result = {
    name,
    at: new Date().toISOString(),
    machine,
    data: data === undefined ? "generated" : "given",
    rounds,
    cases,
  };
  const file = join(here, "results", `${name}.json`);
  await mkdir(join(here, "results"), { recursive: true });
  await writeFile(file, `${JSON.stringify(result, undefined, 2)}\n`);
  console.error(`written: ${file}`);
}

/**
 * Flag evaluation on one core: three rules and one segment, beside the same decisions written by hand (the bare loop),
 * and with a percentage behind them. Figures without a peer are beside 1, so that their ratio is the figure itself. Then
 * requests for 100 flags over HTTP.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { pinned } from "@posthouse/testkit/peer-process";
import type { Bench, BenchCase } from "./bench.ts";
import { measureFlagRequests } from "./flags-requests.ts";
import { chooseCores } from "./redirects.bench.ts";
import { type Figures, median } from "./rounds.ts";

export interface FlagsBenchSizes {
  readonly flags: number;
  readonly users: number;
  readonly repeats: number;
}

const evaluation = createFlagsBench({ flags: 100, users: 10_000, repeats: 5 });
const requests = { flags: 100, users: 100, connections: 64, seconds: 1, warmUp: true, maxRounds: 2 };

export const bench: Bench = {
  description: `${evaluation.description}; OFREP and polling beside node:http alone`,
  async *run(context) {
    yield* evaluation.run(context);
    yield* measureFlagRequests(context, requests);
  },
};

/** Its first part, evaluation, at other sizes. */
export function createFlagsBench(sizes: FlagsBenchSizes): Bench {
  return {
    description: "evaluating flags with three rules and a segment, beside the same written by hand",
    async *run(context) {
      const [core] = await chooseCores(context);
      const rounds: Figures[] = [];
      for (let round = 1; round <= context.rounds; round++) {
        const figures = await measure(sizes, core);
        rounds.push(figures);
        context.progress(`round ${round}/${context.rounds}: ${figures.ours?.toFixed(3)} µs`);
      }
      yield* casesOf((name) => median(rounds.map((figures) => figures[name] ?? Number.NaN)));
    },
  };
}

function* casesOf(pick: (name: string) => number): Generator<BenchCase> {
  yield {
    case: "3 rules, one segment, beside the bare loop",
    metric: "CPU µs per evaluation",
    ours: pick("ours"),
    peer: pick("peer"),
    ratio: pick("ratio"),
  };
  const alone = (name: string, metric: string, figure: number): BenchCase => ({
    case: name,
    metric,
    ours: figure,
    peer: 1,
    ratio: figure,
  });
  yield alone("3 rules, one segment", "CPU µs per evaluation", pick("ours"));
  yield alone("the same, then a percentage", "CPU µs per evaluation", pick("rollout"));
  yield alone("compiling", "CPU µs per flag", pick("compile"));
}

function measure(sizes: FlagsBenchSizes, core: number | undefined): Promise<Figures> {
  const script = join(import.meta.dirname, "flags-process.ts");
  const { command, args } = pinned({
    command: process.execPath,
    args: ["--conditions=posthouse-source", script, JSON.stringify(sizes)],
    core,
  });
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"], timeout: 300_000 });
    let figures: Figures | undefined;
    child.on("message", (message: Figures) => {
      figures = message;
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (figures === undefined) reject(new Error(`the measuring process ended with ${code}`));
      else resolve(figures);
    });
  });
}

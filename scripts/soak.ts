/** `npm run soak -- NAME [--minutes N] [--seed N]`: the long runs. Prints what was found; exits 1 when something is not as it must be. */
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { killFlagSource, killProblems } from "@posthouse/testkit/featbit-kill";
import {
  type DeliverySoakResult,
  deliverySoakProblems,
  soakDelivery,
} from "@posthouse/testkit/soak-delivery";
import { eventsOutageProblems, mebibytes, soakEventsOutage } from "@posthouse/testkit/soak-events-outage";
import { proxySoakProblems, soakProxy } from "@posthouse/testkit/soak-proxy";
import { soakProblems, soakRedirects, type Trend } from "@posthouse/testkit/soak-redirects";
import { buildPackage, publicPackages } from "./build.ts";

interface Soak {
  readonly description: string;
  /** How long, unless told otherwise. */
  readonly minutes: number;
  run(minutes: number, seed: number): Promise<string[]>;
}

const soaks: Readonly<Record<string, Soak>> = {
  redirects: {
    minutes: 10,
    description: "an agent under mixed requests while its configuration is reloaded every five seconds",
    async run(minutes) {
      const result = await soakRedirects({
        durationMs: minutes * 60_000,
        reloadEveryMs: 5000,
        pauseMs: 2,
        progress: (text) => console.error(text),
      });
      const { seconds, requests, wrong, reloads, reloadsUnseen, memory, files, threads } = result;
      console.log(`${requests} requests in ${seconds.toFixed(0)} s, ${wrong} wrong answers`);
      console.log(`${reloads} reloads, ${reloadsUnseen} without effect`);
      console.log(describeTrend("memory, MiB", memory, 2 ** 20));
      console.log(describeTrend("open files", files));
      console.log(describeTrend("threads", threads));
      return soakProblems(result);
    },
  },
  proxy: {
    minutes: 1,
    description: "requests through the proxy during 20 reloads and 20 publishes; none may fail",
    async run(minutes) {
      const options = {
        durationMs: minutes * 60_000,
        reloads: 20,
        publishes: 20,
        progress: (text: string) => console.error(text),
      };
      const result = await soakProxy(options);
      const { seconds, requests, failed, reloads, publishes } = result;
      console.log(`${requests} requests in ${seconds.toFixed(0)} s, ${failed} failed`);
      console.log(`${reloads} reloads and ${publishes} publishes took effect`);
      return proxySoakProblems(result, options);
    },
  },
  "events-outage": {
    minutes: 10,
    description:
      "2,000 events a second from RabbitMQ while the Leek API is down; memory watched, none may be lost",
    async run(minutes) {
      const root = fileURLToPath(new URL("..", import.meta.url));
      for (const folder of publicPackages) buildPackage(root, folder);
      const options = {
        outageMs: minutes * 60_000,
        perSecond: 2000,
        isBuilt: true,
        memoryLimitBytes: 150 * 2 ** 20,
        progress: (text: string) => console.error(text),
      };
      const result = await soakEventsOutage(options);
      const { published, arrived, repeated, backlog, backlogBytes, drainMs, memory } = result;
      console.log(`${published} events published, ${arrived} arrived, ${repeated} of them more than once`);
      console.log(`${backlog} waited in ${mebibytes(backlogBytes)} MiB when the API came back`);
      console.log(
        `delivered in ${(drainMs / 1000).toFixed(0)} s: ${Math.round(backlog / (drainMs / 1000))} a second`,
      );
      const { rest, outage, drain } = memory;
      console.log(
        `memory, MiB: ${mebibytes(rest)} at rest, ${mebibytes(outage)} at most in the outage, ${mebibytes(drain)} at most after it`,
      );
      return eventsOutageProblems(result, options);
    },
  },
  flags: {
    minutes: 2,
    description: "an agent's copy of the flags killed at any moment while they change; 100 kills a minute",
    async run(minutes) {
      const childFile = fileURLToPath(new URL("../apps/agent/test/featbit/kill-child.ts", import.meta.url));
      const kills = Math.round(minutes * 100);
      const progress = (text: string): void => console.error(text);
      const result = await killFlagSource({ kills, childFile, progress });
      const { served, versions, changes } = result;
      console.log(`${kills} kills over ${changes} changes; ${served} starts from disk, ${versions} versions`);
      return killProblems(result);
    },
  },
  delivery: {
    minutes: 10,
    description: "events on their way while everything between them fails, half the time with each broker",
    async run(minutes, seed) {
      console.log(`seed ${seed}`);
      const problems: string[] = [];
      for (const broker of ["rabbitmq", "redis"] as const) {
        const progress = (text: string): void => console.error(`${broker}: ${text}`);
        const result = await soakDelivery({ broker, seed, durationMs: minutes * 30_000, progress });
        for (const line of describeDelivery(result)) console.log(`${broker}: ${line}`);
        problems.push(...deliverySoakProblems(result).map((problem) => `${broker}: ${problem}`));
      }
      return problems;
    },
  },
};

process.exitCode = await main();

async function main(): Promise<number> {
  let name: string | undefined;
  let given: string | undefined;
  let seed = randomInt(2 ** 32);
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { minutes: { type: "string" }, seed: { type: "string" } },
    });
    name = positionals[0];
    given = values.minutes;
    if (values.seed !== undefined) seed = Number(values.seed);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 2;
  }
  const soak = name === undefined ? undefined : Object.entries(soaks).find(([known]) => known === name)?.[1];
  const minutes = given === undefined ? (soak?.minutes ?? 0) : Number(given);
  if (soak === undefined || !(minutes > 0) || !Number.isInteger(seed)) {
    if (name !== undefined && soak === undefined) console.error(`there is no soak "${name}"`);
    console.error("npm run soak -- NAME [--minutes N] [--seed N]");
    for (const [known, { description }] of Object.entries(soaks))
      console.error(`  ${known.padEnd(14)} ${description}`);
    return 2;
  }
  const problems = await soak.run(minutes, seed);
  for (const problem of problems) console.log(`PROBLEM: ${problem}`);
  console.log(problems.length === 0 ? "as it must be" : `${problems.length} problems`);
  return problems.length === 0 ? 0 : 1;
}

function describeTrend(name: string, { first, last, perHour }: Trend, unit = 1): string {
  const figure = (value: number): string => (value / unit).toFixed(1);
  return `${name}: ${figure(first)} after warm-up, ${figure(last)} at the end, slope ${figure(perHour)} per hour`;
}

function describeDelivery(result: DeliverySoakResult): string[] {
  const { seconds, faults, skipped, lives, messages, certain, sinks, told, gapsSeen } = result;
  const figures = (pairs: Iterable<readonly [string, number]>): string =>
    [...pairs].map(([name, value]) => `${name} ${value}`).join(", ");
  return [
    ...skipped.map((reason) => `NOT TESTED: ${reason}`),
    `${seconds.toFixed(0)} s, ${lives} lives of the agent; faults: ${figures(faults)}`,
    `${messages} messages to each sink, of which the broker had ${figures(Object.entries(certain))}`,
    ...Object.entries(sinks).map(([sink, { arrived, duplicates, reordered, excused }]) => {
      const lost = [...excused].map(
        ([reason, { events, longestMs }]) =>
          `, ${events} lost by ${reason}, at most ${longestMs.toFixed(0)} ms old`,
      );
      return `${sink}: ${arrived} events arrived, ${duplicates} times one came again, ${reordered} in the broker's order${lost.join("")}`;
    }),
    `the agent's own metrics: ${figures(Object.entries(told))}; ${gapsSeen} cuts noticed`,
  ];
}

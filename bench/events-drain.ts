import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { queue } from "@posthouse/testkit/events-agent";
import type { LeekApiFigures, LeekApiPeer } from "@posthouse/testkit/leek-api-peer";
import { readUsage, type Usage } from "@posthouse/testkit/peer-process";
import { until } from "@posthouse/testkit/until";

/** What carries events from the queue to the API when it is told to. */
export interface Drainer {
  want(state: "start" | "stop"): Promise<void>;
  usage(): Promise<Usage>;
}

/** Of a request, by default: what may wait for more at the end. */
export const batchEvents = 1000;

/** Resolves when so many events have arrived. */
export async function arrived(api: LeekApiPeer, events: number): Promise<LeekApiFigures> {
  let last = await api.figures();
  await until(
    `${events} events arrive`,
    async () => {
      last = await api.figures();
      return last.events >= events;
    },
    120_000,
  );
  return last;
}

/** A process of `events-bare-process.ts`; once started it goes on until it is disposed of. */
export async function startBareDrainer(broker: string, apiUrl: string): Promise<Drainer & AsyncDisposable> {
  const child = fork(join(import.meta.dirname, "events-bare-process.ts"), [broker, queue, apiUrl], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const exited = once(child, "exit");
  await Promise.race([
    once(child, "message"),
    exited.then(() => {
      throw new Error("the bare loop ended");
    }),
  ]);
  return {
    want: async (state) => void (state === "start" && child.send("start")),
    usage: () => readUsage(child.pid ?? -1),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

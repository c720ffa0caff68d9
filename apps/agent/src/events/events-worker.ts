/** The thread of the events job: what the other thread asks is done in `runtime.ts`; it hears how things are once a second. */

import { setPriority } from "node:os";
import { format } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { isPosthouseError } from "@posthouse/protocol";
import { describeConfig, releaseStartMemory } from "@posthouse/service";
import type { EventsConfig } from "../config/events.ts";
import { createForwardedLog } from "./forwarded-log.ts";
import type { EventsCall, FromThread, ThreadData, ThreadError, ToThread } from "./messages.ts";
import { createEventsRuntime } from "./runtime.ts";
import { unseal } from "./sealed.ts";

const reportMs = 1000;
const niceness = 5;
/** By then what is needed for brokers and receivers is loaded. */
const settledMs = 5000;

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");
const { state, config } = workerData as ThreadData;
// On Linux this is of the calling thread alone: where processors are short, requests go before events.
if (process.platform === "linux") setPriority(niceness);
const send = (message: FromThread): void => port.postMessage(message);
const log = createForwardedLog((entry) => send({ type: "log", entry }));
// ioredis warns there, and nowhere else.
console.warn = (...said: unknown[]): void => log.warn({ said: format(...said) }, "a library warns");
const runtime = createEventsRuntime(state, unseal(config) as EventsConfig, log);

const report = (): void => {
  try {
    send({ type: "report", report: runtime.report() });
  } catch (error) {
    log.error({ error }, "the events job cannot tell how it is");
  }
};

async function answer(id: number, call: EventsCall, values: readonly unknown[]): Promise<void> {
  try {
    const value = await (runtime.calls[call] as (...values: readonly unknown[]) => Promise<unknown>)(
      ...values,
    );
    report();
    send({ type: "answer", id, value });
  } catch (error) {
    if (!isPosthouseError(error)) log.error({ error, call }, "the events job could not do what it was asked");
    send({ type: "refusal", id, error: errorOf(error) });
  }
}

function errorOf(error: unknown): ThreadError {
  if (!isPosthouseError(error)) return { message: error instanceof Error ? error.message : String(error) };
  const { code, message, hint } = error;
  return describeConfig({ code, message, hint }) as ThreadError;
}

async function stop(deadlineMs: number): Promise<void> {
  clearInterval(timer);
  await runtime
    .stop(deadlineMs)
    .catch((error: unknown) => log.warn({ error }, "the events job did not stop cleanly"));
  process.exit(0);
}

port.on("message", (message: ToThread) => {
  if (message.type === "configure")
    runtime
      .configure(unseal(message.config) as EventsConfig)
      .then(report, (error: unknown) => log.error({ error }, "the events job cannot use its configuration"));
  else if (message.type === "call") void answer(message.id, message.call, message.values);
  else void stop(message.deadlineMs);
});
const timer = setInterval(report, reportMs);
// What fails here ends the thread; it is started again.
await runtime.start();
report();
setTimeout(releaseStartMemory, settledMs).unref();

/** In place of the job's thread: reports once, and dies when it is asked anything. */
import { parentPort } from "node:worker_threads";
import type { FromThread } from "../../src/events/messages.ts";

const deadLetters = { letters: 0, bytes: 0, evicted: 0, replayed: 0, dropped: 0 };
const report = {
  at: new Date(),
  subscriptions: [],
  problems: [],
  brokenFile: undefined,
  setAsideDatabases: 0,
  deadLetters,
};
parentPort?.postMessage({ type: "report", report } satisfies FromThread);
parentPort?.on("message", () => {
  throw new Error("killed by a test");
});

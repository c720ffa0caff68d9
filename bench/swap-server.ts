/**
 * A server of redirects that keeps in step with a Manager and watches its own thread: `swap-server.ts MANAGER FILE`.
 * Prints a line of JSON when a version was loaded and is on disk: how long the thread was held at most, by the clock and
 * by its own CPU time (what other programs on the machine do counts in the first only).
 */
import { createClient } from "@posthouse/client";
import { createFileStore } from "@posthouse/client/node";

const [url = "", file = ""] = process.argv.slice(2);

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
let last = { clock: performance.now(), cpu: cpuMs() };
let longest = { clock: 0, cpu: 0 };
const turn = (): void => {
  const now = { clock: performance.now(), cpu: cpuMs() };
  longest = {
    clock: Math.max(longest.clock, now.clock - last.clock),
    cpu: Math.max(longest.cpu, now.cpu - last.cpu),
  };
  last = now;
  setImmediate(turn);
};

let loadMs = 0;
const client = createClient({
  manager: { url, namespace: "n", project: "p", token: "t" },
  agent: { name: "bench" },
  push: false,
  checkEveryMs: 200,
  store: createFileStore(file),
  onEvent(event) {
    if (event.type === "failed") console.error(event.error.message);
    if (event.type === "loaded") loadMs = event.durationMs;
    if (event.type !== "saved") return;
    const { version } = event;
    const rssMB = process.memoryUsage.rss() / 1e6;
    console.log(JSON.stringify({ version, loadMs, pauseMs: longest.clock, pauseCpuMs: longest.cpu, rssMB }));
    longest = { clock: 0, cpu: 0 };
  },
});
// What a process does once, when it starts, is no pause of serving.
setTimeout(async () => {
  last = { clock: performance.now(), cpu: cpuMs() };
  turn();
  longest = { clock: 0, cpu: 0 };
  await client.start();
}, 500);

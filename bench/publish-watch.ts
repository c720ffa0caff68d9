/** What happens to requests and polls while somebody imports and publishes: each answer is judged, each wait measured. */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export interface Answer {
  readonly status: number;
  readonly location: string;
}

export interface Asker {
  /** Rejects after ten seconds. */
  ask(path: string, headers: Readonly<Record<string, string>>): Promise<Answer>;
  close(): void;
}

/** Asks with kept connections. */
export function createAsker(origin: string, connections: number): Asker {
  const { hostname, port } = new URL(origin);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  return {
    ask: (path, headers) =>
      new Promise((resolve, reject) => {
        const sent = request({ hostname, port, path, headers, agent, timeout: 10_000 }, (answer) => {
          answer.resume().on("error", reject);
          answer.on("end", () =>
            resolve({ status: answer.statusCode ?? 0, location: answer.headers.location ?? "" }),
          );
        });
        sent.on("error", reject).on("timeout", () => sent.destroy(new Error("no answer in 10 s")));
        sent.end();
      }),
    close: () => agent.destroy(),
  };
}

/** Repeats something at a steady pace, on its own, until it is stopped. What it throws counts as an answer. */
export interface Watch {
  /** The longest wait for an answer since this was asked last, in milliseconds, and how many there were. */
  take(): { longestMs: number; count: number };
  /** Ends it; says what was wrong. */
  stop(): Promise<readonly string[]>;
}

const examplesKept = 10;

/** `once` resolves with what was wrong, or undefined. */
export function watch(lanes: number, pauseMs: number, once: () => Promise<string | undefined>): Watch {
  const wrong: string[] = [];
  let isOver = false;
  let longestMs = 0;
  let count = 0;
  const lane = async (): Promise<void> => {
    while (!isOver) {
      const begun = performance.now();
      const found = await once().catch(String);
      longestMs = Math.max(longestMs, performance.now() - begun);
      count++;
      if (found !== undefined && wrong.length < examplesKept) wrong.push(found);
      await sleep(pauseMs);
    }
  };
  const running = Promise.all(Array.from({ length: lanes }, lane));
  return {
    take() {
      const taken = { longestMs, count };
      longestMs = 0;
      count = 0;
      return taken;
    },
    async stop() {
      isOver = true;
      await running;
      return wrong;
    },
  };
}

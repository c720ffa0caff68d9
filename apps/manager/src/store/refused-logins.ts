import type { Log } from "@posthouse/service";
import type { Database } from "../database/database.ts";
import { recordEvent } from "./journal-event.ts";

/** Notes refused log-ins in the journal: one event a minute, so that guessing cannot push everything else out of it. */
export interface RefusedLogins {
  note(username: string): void;
  close(): Promise<void>;
}

const intervalMs = 60_000;

export function createRefusedLogins(
  { write }: Database,
  log: Log,
  now: () => number = Date.now,
): RefusedLogins {
  let nextAt = 0;
  let unnoted = 0;
  let writing: Promise<void> = Promise.resolve();
  return {
    note(username) {
      log.warn({ username }, "a log-in was refused");
      if (now() < nextAt) {
        unnoted += 1;
        return;
      }
      const data = { username: username.slice(0, 100), others: unnoted };
      nextAt = now() + intervalMs;
      unnoted = 0;
      const event = { projectId: null, resource: "SESSION", action: "REFUSE", by: undefined, data } as const;
      writing = recordEvent(write, event).catch((error: unknown) =>
        log.warn({ error }, "a refused log-in could not be noted in the journal"),
      );
    },
    close: () => writing,
  };
}

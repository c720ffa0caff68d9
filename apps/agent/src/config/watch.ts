import type { Log, Part } from "@posthouse/service";
import { createFileWatch } from "../core/file-watch.ts";

export interface WatchOptions {
  readonly log: Log;
  /** Called after the file changed and on SIGHUP, never twice at once. What it throws is logged. */
  readonly onChange: () => Promise<void>;
  /** How often the file is looked at where the system tells nothing (network and container mounts). Default 2000. */
  readonly pollMs?: number;
  /** The file's fingerprint before it was read first. */
  readonly seen?: string;
}

/** Watches the configuration file, and SIGHUP: from now on, since a process that is starting would end of it. */
export function watchConfig(path: string, { log, onChange, pollMs, seen }: WatchOptions): Part {
  let isOn = false;
  let running: Promise<void> | undefined;
  let again = false;
  let askedBefore = false;
  const file = createFileWatch(path, { log, onChange: run, pollMs, seen });

  function run(): void {
    again = running !== undefined;
    running ??= onChange()
      .catch((error: unknown) => log.error({ error, file: path }, "the changed configuration is not used"))
      .finally(() => {
        running = undefined;
        if (again && isOn) run();
      });
  }

  const onHangUp = (): void => {
    if (!isOn) {
      askedBefore = true;
      return;
    }
    log.info({ file: path }, "SIGHUP: reading the configuration again");
    run();
  };

  process.on("SIGHUP", onHangUp);
  return {
    name: "configuration watch",
    async start() {
      await file.start();
      isOn = true;
      if (askedBefore) onHangUp();
    },
    async stop() {
      isOn = false;
      process.off("SIGHUP", onHangUp);
      file.stop();
      await running;
    },
  };
}

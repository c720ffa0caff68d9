import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Log, Part } from "@posthouse/service";

export interface WatchOptions {
  readonly log: Log;
  /** Called after the file changed and on SIGHUP, never twice at once. What it throws is logged. */
  readonly onChange: () => Promise<void>;
  /** How often the file is looked at where the system tells nothing (network and container mounts). Default 2000. */
  readonly pollMs?: number;
}

const settleMs = 200;

/** Watches the configuration file: the system's notices, a slow look at the file as well, and SIGHUP. */
export function watchConfig(path: string, { log, onChange, pollMs = 2000 }: WatchOptions): Part {
  let watcher: FSWatcher | undefined;
  let poll: NodeJS.Timeout | undefined;
  let settle: NodeJS.Timeout | undefined;
  let seen = "";
  let running: Promise<void> | undefined;
  let again = false;

  const fingerprint = async (): Promise<string> => {
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(path);
      return [ino, size, mtimeMs, ctimeMs].join(" ");
    } catch {
      return ""; // between the two halves of a replacement; the next look decides
    }
  };

  async function look(): Promise<void> {
    const now = await fingerprint();
    if (poll === undefined || now === "" || now === seen) return;
    seen = now;
    clearTimeout(settle);
    settle = setTimeout(run, settleMs);
  }

  function run(): void {
    again = running !== undefined;
    running ??= onChange()
      .catch((error: unknown) => log.error({ error, file: path }, "the changed configuration is not used"))
      .finally(() => {
        running = undefined;
        if (again && poll !== undefined) run();
      });
  }

  const onHangUp = (): void => {
    log.info({ file: path }, "SIGHUP: reading the configuration again");
    run();
  };

  return {
    name: "configuration watch",
    async start() {
      seen = await fingerprint();
      poll = setInterval(look, pollMs);
      process.on("SIGHUP", onHangUp);
      try {
        watcher = watch(dirname(path), (_, file) => {
          if (file === null || file === basename(path) || file.startsWith("..")) void look();
        });
        watcher.on("error", (error) => log.debug({ error }, "no notices of file changes; looking instead"));
      } catch (error) {
        log.debug({ error }, "no notices of file changes; looking instead");
      }
    },
    async stop() {
      process.off("SIGHUP", onHangUp);
      clearInterval(poll);
      clearTimeout(settle);
      poll = undefined;
      watcher?.close();
      await running;
    },
  };
}

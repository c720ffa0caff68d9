import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Log } from "@posthouse/service";

export interface FileWatchOptions {
  readonly log: Log;
  /** Called when the file changed and was then left alone for a moment; also when it appeared. */
  readonly onChange: () => void;
  /** Called after every look at the file. */
  readonly onLook?: (found: "same" | "changed" | "missing") => void;
  /** How often the file is looked at where the system tells nothing (network and container mounts). Default 2000. */
  readonly pollMs?: number | undefined;
  /** Its fingerprint before it was read: what changed between that and the start counts. By default that of the start. */
  readonly seen?: string | undefined;
}

export interface FileWatch {
  start(): Promise<void>;
  stop(): void;
}

const settleMs = 200;

/** What tells one state of a file from another: which file a path leads to, its size and its times; "": none. */
export async function fileFingerprint(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return "";
  }
}

/**
 * Watches one file: the system's notices, and a slow look as well. Files that are replaced, links that are turned (as
 * container mounts do it) and files that come and go are all the same to it.
 */
export function createFileWatch(path: string, options: FileWatchOptions): FileWatch {
  const { log, onChange, onLook, pollMs = 2000 } = options;
  let watcher: FSWatcher | undefined;
  let poll: NodeJS.Timeout | undefined;
  let settle: NodeJS.Timeout | undefined;
  let seen = "";

  async function look(): Promise<void> {
    const now = await fileFingerprint(path);
    if (poll === undefined) return;
    onLook?.(now === "" ? "missing" : now === seen ? "same" : "changed");
    if (now === "" || now === seen) return; // missing: perhaps between the two halves of a replacement
    seen = now;
    clearTimeout(settle);
    settle = setTimeout(onChange, settleMs);
  }

  return {
    async start() {
      seen = options.seen ?? (await fileFingerprint(path));
      poll = setInterval(look, pollMs);
      if (options.seen !== undefined) await look();
      try {
        watcher = watch(dirname(path), (_, file) => {
          if (file === null || file === basename(path) || file.startsWith("..")) void look();
        });
        watcher.on("error", (error) => log.debug({ error }, "no notices of file changes; looking instead"));
      } catch (error) {
        log.debug({ error }, "no notices of file changes; looking instead");
      }
    },
    stop() {
      clearInterval(poll);
      clearTimeout(settle);
      poll = undefined;
      watcher?.close();
    },
  };
}

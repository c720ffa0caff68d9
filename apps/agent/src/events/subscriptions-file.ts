/** Leek's own `subscriptions.json`: read, and read again when it changes. */

import { isPosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import type { LeekSurroundings } from "../config/events.ts";
import { readLeekFile } from "../config/leek-file.ts";
import type { SubscriptionConfig } from "../config/subscription.ts";
import { createFileWatch } from "../core/file-watch.ts";

export interface SubscriptionsFileOptions {
  readonly path: string;
  readonly surroundings: LeekSurroundings | undefined;
  readonly log: Log;
  /** Called after the list, or what is wrong with it, was read again. */
  readonly onChange: () => void;
}

export interface SubscriptionsFile {
  /** What can run of it. While something in it is wrong, also those that ran before. */
  readonly subscriptions: readonly SubscriptionConfig[];
  /** A line for each. */
  readonly problems: readonly string[];
  /** Something in it cannot run, or it cannot be read. One that is not there is not broken: it may be written yet. */
  readonly isBroken: boolean;
  start(): Promise<void>;
  stop(): void;
}

/** A file that is replaced may be away for a moment. */
const missingMs = 1000;

export function createSubscriptionsFile(options: SubscriptionsFileOptions): SubscriptionsFile {
  const { path, surroundings, log, onChange } = options;
  let subscriptions: readonly SubscriptionConfig[] = [];
  let problems: readonly string[] = [];
  let isBroken = false;
  let isMissing = false;
  let isOn = true;
  let reading = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  async function read(): Promise<void> {
    const before = problems;
    isMissing = false;
    try {
      const found = await readLeekFile(path, surroundings);
      subscriptions = found.isBroken ? withBefore(found.subscriptions, subscriptions) : found.subscriptions;
      ({ problems, isBroken } = found);
    } catch (error) {
      isMissing = isPosthouseError(error) && error.code === "SUBSCRIPTIONS_FILE_MISSING";
      isBroken = !isMissing;
      problems = [(error as Error).message];
    }
    if (!isOn) return;
    for (const problem of problems)
      if (!before.includes(problem))
        log.warn({ file: path, problem }, "the file of subscriptions is not as it should be");
    if (before.length > 0 && problems.length === 0)
      log.info({ file: path }, "the file of subscriptions is as it should be again");
    onChange();
  }

  const readInTurn = (): Promise<void> => {
    reading = reading.then(read);
    return reading;
  };
  const watch = createFileWatch(path, {
    log,
    onChange: () => void readInTurn(),
    onLook(found) {
      if ((found === "missing") === isMissing) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        void readInTurn();
      }, missingMs);
    },
  });
  return {
    get subscriptions() {
      return subscriptions;
    },
    get problems() {
      return problems;
    },
    get isBroken() {
      return isBroken;
    },
    async start() {
      await watch.start();
      await readInTurn();
    },
    stop() {
      isOn = false;
      clearTimeout(timer);
      watch.stop();
    },
  };
}

/** Nothing is stopped for a list of which something cannot be read: what it was to be is not known. */
function withBefore(
  now: readonly SubscriptionConfig[],
  before: readonly SubscriptionConfig[],
): readonly SubscriptionConfig[] {
  const names = new Set(now.map(({ name }) => name));
  return [...now, ...before.filter(({ name }) => !names.has(name))];
}

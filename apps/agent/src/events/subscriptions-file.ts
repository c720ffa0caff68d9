/** Leek's own `subscriptions.json`, which its API writes and which may be edited: read, and read again when it changes. */
import { readFile, stat } from "node:fs/promises";
import { isPosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import type { LeekSurroundings } from "../config/events.ts";
import { parseLeekSubscriptions, splitDamagedList } from "../config/leek-subscriptions.ts";
import type { SubscriptionConfig } from "../config/subscription.ts";
import { agentErrors } from "../core/errors.ts";
import { createFileWatch } from "../core/file-watch.ts";

export interface SubscriptionsFileOptions {
  readonly path: string;
  readonly surroundings: LeekSurroundings | undefined;
  readonly log: Log;
  /** Called after the list, or what is wrong with it, became another one. */
  readonly onChange: () => void;
}

export interface SubscriptionsFile {
  /** As it was read the last time that it could be. */
  readonly subscriptions: readonly SubscriptionConfig[];
  /** Why it is not as it stands in the file, or what is odd about it. */
  readonly problem: string | undefined;
  start(): Promise<void>;
  stop(): void;
}

const mostBytes = 4 * 2 ** 20;

export function createSubscriptionsFile(options: SubscriptionsFileOptions): SubscriptionsFile {
  const { path, surroundings, log, onChange } = options;
  let subscriptions: readonly SubscriptionConfig[] = [];
  let problem: string | undefined;
  let isOn = true;
  let reading = Promise.resolve();

  async function read(): Promise<void> {
    const before = problem;
    try {
      const { list, damage } = withoutTail(await readText(path));
      subscriptions = list.trim() === "" ? [] : parseLeekSubscriptions(list, path, surroundings);
      problem = damage;
    } catch (cause) {
      problem = explain(path, cause);
    }
    if (problem !== undefined && problem !== before)
      log.warn({ file: path, problem }, "the file of subscriptions is not as it should be");
    if (isOn) onChange();
  }

  const readInTurn = (): Promise<void> => {
    reading = reading.then(read);
    return reading;
  };
  const watch = createFileWatch(path, { log, onChange: () => void readInTurn() });
  return {
    get subscriptions() {
      return subscriptions;
    },
    get problem() {
      return problem;
    },
    async start() {
      await watch.start();
      await readInTurn();
    },
    stop() {
      isOn = false;
      watch.stop();
    },
  };
}

/** A file that is not there yet holds none. */
async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw new Error(`it is larger than ${mostBytes / 2 ** 20} MiB`);
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return "";
    throw error;
  }
}

/**
 * Leek's API writes a list over a longer one without cutting off its end, from four subscriptions on. What comes first
 * is whole, and the newest.
 */
function withoutTail(text: string): { readonly list: string; readonly damage: string | undefined } {
  const split = splitDamagedList(text);
  if (split === undefined) return { list: text, damage: undefined };
  const { list, tail } = split;
  return {
    list,
    damage: `behind the end of the list there are ${tail.length} more characters, the rest of an older and longer list: Leek's API writes this file without cutting it off. The list before them is whole and is used; Leek's own agent could not read this file`,
  };
}

function explain(path: string, cause: unknown): string {
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (isPosthouseError(cause) && cause.code.startsWith("CONFIG_")) return reason;
  return agentErrors.create("SUBSCRIPTIONS_FILE_UNUSABLE", { file: path, reason }).message;
}

/** Leek's own `subscriptions.json`, which its API writes and which may be edited. */
import { readFile, stat } from "node:fs/promises";
import { agentErrors } from "../core/errors.ts";
import type { LeekSurroundings } from "./events.ts";
import { type FoundSubscriptions, findLeekSubscriptions, splitDamagedList } from "./leek-subscriptions.ts";

export interface LeekFile extends FoundSubscriptions {
  /** Something in it cannot run. */
  readonly isBroken: boolean;
}

const mostBytes = 4 * 2 ** 20;

/** Reads it as far as it can be used. @throws SUBSCRIPTIONS_FILE_MISSING, SUBSCRIPTIONS_FILE_UNUSABLE */
export async function readLeekFile(
  path: string,
  surroundings: LeekSurroundings | undefined,
): Promise<LeekFile> {
  const { list, damage } = withoutTail(await readText(path));
  if (list.trim() === "") return { subscriptions: [], problems: [], isBroken: false };
  const { subscriptions, problems } = findLeekSubscriptions(list, path, surroundings);
  return {
    subscriptions,
    problems: damage === undefined ? problems : [`${path}: ${damage}`, ...problems],
    isBroken: problems.length > 0,
  };
}

async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw new Error(`it is larger than ${mostBytes / 2 ** 20} MiB`);
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "ENOENT")
      throw agentErrors.create("SUBSCRIPTIONS_FILE_MISSING", { file: path }, { cause });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw agentErrors.create("SUBSCRIPTIONS_FILE_UNUSABLE", { file: path, reason }, { cause });
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

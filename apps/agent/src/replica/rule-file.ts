/**
 * Reads a file of rules without holding up the thread that serves: a worker thread reads and parses it
 * (`rule-file-worker.ts`) and hands over the items in small batches, one at a time; they are compiled here, in slices.
 */
import { createRuleSetBuilder, type RuleSet, type RuleSetOptions } from "@posthouse/rules";
import { agentErrors } from "../core/errors.ts";
import { createSlices } from "../core/slices.ts";
import { describeProblems, type ServedProblem, shownProblems } from "./problems.ts";
import { type ReadingThread, startReadingThread } from "./reading-thread.ts";
import type { RuleFileMessage, RuleFileTask } from "./rule-file-worker.ts";

/** A rule file, compiled. Entries that cannot be used are left out, and stand among the problems. */
export interface LoadedRuleFile {
  readonly ruleSet: RuleSet;
  /** SHA-256 of the file, in hex. */
  readonly hash: string;
  /** The first 100. */
  readonly problems: readonly ServedProblem[];
  /** All of them. */
  readonly problemCount: number;
}

export interface LoadRuleFileOptions {
  readonly rules?: RuleSetOptions;
  readonly signal?: AbortSignal;
  /** When the file still has this hash, nothing is compiled. */
  readonly knownHash?: string | undefined;
}

const withinMs = 120_000;
const maxBytes = 64 * 1024 * 1024;

/**
 * Loads a file; the format is told by its name. Undefined: it is the known one. Throws RULE_FILE_MISSING,
 * RULE_FILE_UNUSABLE, and what the signal is aborted with.
 */
export async function loadRuleFile(
  path: string,
  options: LoadRuleFileOptions = {},
): Promise<LoadedRuleFile | undefined> {
  const timeout = AbortSignal.timeout(withinMs);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  signal.throwIfAborted();
  const thread = startThread({
    path,
    maxBytes,
    knownHash: options.knownHash,
    patternSize: options.rules?.patternSize,
  });
  const onAbort = (): void => thread.fail(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await compile(thread, options.rules ?? {});
  } catch (error) {
    options.signal?.throwIfAborted();
    const reason = timeout.aborted ? `not done within ${withinMs / 1000} s` : reasonOf(error);
    if (reason === "ENOENT") throw agentErrors.create("RULE_FILE_MISSING", { file: path }, { cause: error });
    throw agentErrors.create("RULE_FILE_UNUSABLE", { file: path, reason }, { cause: error });
  } finally {
    signal.removeEventListener("abort", onAbort);
    await thread.end();
  }
}

async function compile(
  thread: ReadingThread<RuleFileMessage>,
  rules: RuleSetOptions,
): Promise<LoadedRuleFile | undefined> {
  const head = await thread.next();
  if (head.type === "known") return undefined;
  if (head.type !== "head") throw unexpected(head);
  const builder = createRuleSetBuilder(rules);
  const lines: number[] = [];
  const slices = createSlices();
  for (;;) {
    const message = await thread.next();
    if (message.type === "end") break;
    if (message.type !== "items") throw unexpected(message);
    for (const [index, item] of message.items.entries()) {
      builder.put(item);
      lines[item.id] = message.lines[index] ?? 0;
      if (slices.isDue()) await slices.pause();
    }
  }
  const ruleSet = builder.build();
  // What is doubtful was told by the reader; what these settings refuse is told by the RuleSet.
  const refused = ruleSet.problems.filter(({ severity }) => severity === "error");
  const problems = [...head.problems, ...describeProblems(refused, (id) => lines[id])];
  return {
    ruleSet,
    hash: head.hash,
    problems: problems.slice(0, shownProblems),
    problemCount: head.problemCount + refused.length,
  };
}

function startThread(task: RuleFileTask): ReadingThread<RuleFileMessage> {
  const thread = startReadingThread<RuleFileMessage>(workerUrl, task);
  return {
    ...thread,
    async next() {
      const message = await thread.next();
      if (message.type === "failed") throw new Error(message.reason);
      return message;
    },
  };
}

// `.ts` from source, `.js` when built.
const workerUrl = new URL(`./rule-file-worker${import.meta.url.slice(-3)}`, import.meta.url);

const unexpected = ({ type }: RuleFileMessage): Error => new Error(`unexpected message "${type}"`);

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

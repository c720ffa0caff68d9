import { isDeepStrictEqual } from "node:util";
import {
  createFlagSet,
  evaluateForClient,
  type FlagProblem,
  parseFlagUser,
  rolloutOf,
} from "@posthouse/flags";
import type { EvaluationVector } from "./vector.ts";

type Outcome = Readonly<Record<string, unknown>>;

/** Evaluates the case's flag, in a payload of its own. */
export function checkEvaluation(vector: EvaluationVector): string | undefined {
  const { flag, segments, user, hash } = vector;
  const { outcomes, problems } = evaluateAll([flag], segments, user);
  const [found] = outcomes;
  if (found === undefined) return `the flag is left out: ${JSON.stringify(problems)}`;
  const place = hash === undefined ? undefined : rolloutOf(hash.dispatchKey);
  if (place !== hash?.rollout) return `${hash?.dispatchKey}: expected ${hash?.rollout}, found ${place}`;
  return vector.expect === undefined
    ? checkIsolation(vector, found, problems)
    : compare(vector.expect, found);
}

/**
 * A condition that cannot be evaluated counts as false and is reported: the outcome is that of the payload without its
 * rule, and a flag beside it has the outcome that it has alone.
 */
function checkIsolation(
  { flag, segments, user, expectError }: EvaluationVector,
  found: Outcome,
  problems: readonly FlagProblem[],
): string | undefined {
  if (problems.length === 0) return `expected a problem (${expectError}), none is reported`;
  const places = problems.map(({ path }) => rulePath.exec(path));
  const stray = problems.find((_, index) => places[index] === null);
  if (stray !== undefined) return `the problem is not of a condition: ${JSON.stringify(stray)}`;
  const payload = structuredClone({ featureFlags: [flag], segments: [...segments] }) as Payload;
  for (const place of places.toReversed()) {
    payload[place?.[1] as keyof Payload][Number(place?.[2])]?.rules.splice(Number(place?.[3]), 1);
  }
  const without = evaluateAll(payload.featureFlags, payload.segments, user).outcomes[0] ?? {};
  const other = { ...flag, id: "neighbour", key: "neighbour", rules: [] };
  const alone = evaluateAll([other], segments, user).outcomes[0] ?? {};
  const beside = evaluateAll([flag, other], segments, user).outcomes[1] ?? {};
  return compare(without, found) ?? compare(alone, beside);
}

interface Payload {
  readonly featureFlags: { readonly rules: unknown[] }[];
  readonly segments: { readonly rules: unknown[] }[];
}

const rulePath = /^items\[0\]\.(featureFlags|segments)\[(\d+)\]\.rules\[(\d+)\]\.conditions\[\d+\]/;

function evaluateAll(
  featureFlags: readonly unknown[],
  segments: readonly unknown[],
  user: unknown,
): { outcomes: readonly Outcome[]; problems: readonly FlagProblem[] } {
  const { flagSet, flags, problems } = createFlagSet([{ featureFlags, segments }]);
  const who = parseFlagUser(user);
  return { outcomes: flags.map((flag) => ({ ...evaluateForClient(flag, who, flagSet.segments) })), problems };
}

function compare(expected: Outcome, found: Outcome): string | undefined {
  for (const [name, value] of Object.entries(expected)) {
    if (!isDeepStrictEqual(found[name], value)) {
      return `${name}: expected ${JSON.stringify(value)}, found ${JSON.stringify(found[name])}`;
    }
  }
  return undefined;
}

/** One measurement of `flags.bench.ts` in a process of its own: `flags-process.ts SIZES`, JSON; the figures are sent. */
import {
  createFlagSet,
  evaluateFlag,
  type Flag,
  type FlagSetChange,
  type FlagUser,
  parseFlagUser,
} from "@posthouse/flags";
import { createRandom } from "./data.ts";
import type { FlagsBenchSizes } from "./flags.bench.ts";
import { type Figures, median } from "./rounds.ts";

const countries = ["fr", "de", "us", "jp", "br", "in", "gb", "es"];
const served = new Set(["fr", "de", "gb"]);
const whole = (id: string) => [{ id, rollout: [0, 1], exptRollout: 1 }];
const condition = (property: string, op: string | null, value: string) => ({ property, op, value });
const rule = (name: string, id: string, ...conditions: readonly object[]) => ({
  id: name,
  name,
  dispatchKey: null,
  includedInExpt: false,
  conditions,
  variations: whole(id),
});

/** Flags with three rules, one of them on a segment; `rollout` serves a part of those whom no rule takes. */
function flagOf(index: number, rollout: readonly object[]): object {
  return {
    id: `flag-${index}`,
    envId: "environment",
    key: `feature-${index}`,
    variationType: "boolean",
    variations: [
      { id: "on", value: "true" },
      { id: "off", value: "false" },
    ],
    targetUsers: [],
    rules: [
      rule(
        "adults",
        "on",
        condition("country", "IsOneOf", '["fr","de","gb"]'),
        condition("age", "BiggerThan", "64"),
      ),
      rule("testers", "off", condition("User is in segment", null, '["testers"]')),
      rule("paying", "on", condition("plan", "Equal", "pro"), condition("version", "StartsWith", "2.")),
    ],
    isEnabled: true,
    disabledVariationId: "off",
    fallthrough: { dispatchKey: null, includedInExpt: true, variations: rollout },
    exptIncludeAllTargets: false,
    updatedAt: "2025-03-01T10:20:30.456Z",
    isArchived: false,
  };
}

const included: readonly string[] = Array.from({ length: 100 }, (_, index) => `user-${index * 7}`);
const segment = {
  id: "testers",
  envId: "environment",
  included,
  excluded: ["user-7"],
  rules: [{ conditions: [condition("email", "EndsWith", "@example.org")] }],
  updatedAt: "2025-03-01T10:20:30.456Z",
};

function usersOf(count: number): FlagUser[] {
  const random = createRandom(7);
  return Array.from({ length: count }, (_, index) =>
    parseFlagUser({
      keyId: `user-${index}`,
      name: `User ${index}`,
      customizedProperties: [
        { name: "country", value: countries[Math.floor(random() * countries.length)] },
        { name: "age", value: String(18 + Math.floor(random() * 70)) },
        { name: "email", value: `user${index}@example.${random() < 0.05 ? "org" : "com"}` },
        { name: "plan", value: random() < 0.3 ? "pro" : "free" },
        { name: "version", value: `${1 + Math.floor(random() * 3)}.${Math.floor(random() * 20)}.0` },
      ],
    }),
  );
}

function load(flags: number, rollout: readonly object[]): FlagSetChange {
  const featureFlags = Array.from({ length: flags }, (_, index) => flagOf(index, rollout));
  const change = createFlagSet([{ featureFlags, segments: [segment] }]);
  if (change.problems.length > 0) throw new Error(JSON.stringify(change.problems));
  return change;
}

interface Timed {
  /** CPU time of one evaluation. */
  readonly micros: number;
  readonly on: number;
}

/** Every flag for every user. */
function time(
  flags: readonly Flag[],
  users: readonly FlagUser[],
  isOn: (flag: Flag, user: FlagUser) => boolean,
): Timed {
  const cpu = process.threadCpuUsage();
  let on = 0;
  for (const user of users) for (const flag of flags) if (isOn(flag, user)) on += 1;
  const used = process.threadCpuUsage(cpu);
  return { micros: (used.user + used.system) / (flags.length * users.length), on };
}

const included100 = new Set(included);

/** What the flags say, written by hand: the bare loop. */
function byHand(_flag: Flag, { keyId, properties }: FlagUser): boolean {
  if (served.has(properties.get("country") ?? "") && Number(properties.get("age")) > 64) return true;
  if (keyId !== "user-7" && (included100.has(keyId) || properties.get("email")?.endsWith("@example.org")))
    return false;
  return properties.get("plan") === "pro" && properties.get("version")?.startsWith("2.") === true;
}

function main({ flags, users: userCount, repeats }: FlagsBenchSizes): Figures {
  const users = usersOf(userCount);
  const targeted = load(flags, whole("off"));
  const spread = load(flags, [
    { id: "on", rollout: [0, 0.3], exptRollout: 0 },
    { id: "off", rollout: [0.3, 1], exptRollout: 0 },
  ]);
  const evaluate =
    ({ flagSet }: FlagSetChange) =>
    (flag: Flag, user: FlagUser) =>
      evaluateFlag(flag, user, flagSet.segments).variationId === "on";
  const ours: Timed[] = [];
  const hand: Timed[] = [];
  const rollouts: Timed[] = [];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const bare = time(targeted.flags, users, byHand);
    const evaluated = time(targeted.flags, users, evaluate(targeted));
    const rollout = time(spread.flags, users, evaluate(spread));
    if (evaluated.on !== bare.on) throw new Error(`${evaluated.on} are on, by hand ${bare.on}`);
    if (repeat === 0) continue;
    hand.push(bare);
    ours.push(evaluated);
    rollouts.push(rollout);
  }
  const cpu = process.threadCpuUsage();
  load(flags, whole("off"));
  const compiling = process.threadCpuUsage(cpu);
  return {
    ours: median(ours.map(({ micros }) => micros)),
    peer: median(hand.map(({ micros }) => micros)),
    ratio: median(ours.map(({ micros }, at) => micros / (hand[at]?.micros ?? Number.NaN))),
    rollout: median(rollouts.map(({ micros }) => micros)),
    compile: (compiling.user + compiling.system) / flags,
  };
}

process.send?.(main(JSON.parse(process.argv[2] ?? "") as FlagsBenchSizes));
process.disconnect?.();

/** Flags, segments and users as a shop has them: the same for the same seed. */
import { createHash } from "node:crypto";
import { writeTime } from "./dotnet-json.ts";
import type { Condition, FeatbitUser, Flag, Rollout, Segment } from "./shapes.ts";

export interface FlagsOptions {
  readonly seed?: number;
  readonly envId?: string;
  /** Rules of each flag; the first refers to a segment, when there are any. */
  readonly rules?: number;
  /** Flag i refers to segment i modulo this, so that each segment touches as many flags. */
  readonly segments?: number;
  /** Users that each flag targets one by one, and that each segment includes and excludes. */
  readonly users?: number;
  /** When the first was changed last; each later one a second after. In milliseconds. */
  readonly since?: number;
}

const countries = ["fr", "de", "us", "jp", "br", "in"];
const plans = ["free", "basic", "pro", "enterprise"];
const domains = ["example.com", "example.org", "example.net"];

/** Between 0 and 1, the same for the same words. */
function chance(...words: readonly (string | number)[]): number {
  return createHash("md5").update(words.join(" ")).digest().readUInt32LE() / 2 ** 32;
}

const pick = <T>(list: readonly T[], ...words: readonly (string | number)[]): T =>
  list[Math.floor(chance(...words) * list.length)] as T;

function guid(...words: readonly (string | number)[]): string {
  const hex = createHash("md5").update(words.join(" ")).digest("hex");
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5");
}

/** User i: a third of the properties that conditions ask for are missing for some of them. */
export function makeUser(i: number, prefix: string = "user-"): FeatbitUser {
  const properties: Record<string, string> = {
    country: pick(countries, "country", i),
    plan: pick(plans, "plan", i),
    visits: String(Math.floor(chance("visits", i) * 100)),
    email: `${prefix}${i}@${pick(domains, "domain", i)}`,
    version: `${1 + (i % 5)}.${i % 10}.0`,
    beta: i % 10 === 0 ? "true" : "false",
  };
  if (chance("visitor", i) < 0.3) delete properties.visits;
  const customizedProperties = Object.entries(properties).map(([name, value]) => ({ name, value }));
  return { keyId: `${prefix}${i}`, name: `User ${i}`, customizedProperties };
}

const conditions: readonly ((...at: number[]) => Omit<Condition, "id">)[] = [
  (...at) => ({
    property: "country",
    op: "IsOneOf",
    value: JSON.stringify([pick(countries, "c", ...at), "se"]),
  }),
  (...at) => ({ property: "country", op: "NotOneOf", value: JSON.stringify([pick(countries, "n", ...at)]) }),
  (...at) => ({ property: "plan", op: "Equal", value: pick(plans, "p", ...at) }),
  (...at) => ({ property: "plan", op: "NotEqual", value: pick(plans, "q", ...at) }),
  (...at) => ({
    property: "visits",
    op: "BiggerEqualThan",
    value: String(Math.floor(chance("v", ...at) * 100)),
  }),
  (...at) => ({ property: "visits", op: "LessThan", value: String(Math.floor(chance("w", ...at) * 100)) }),
  (...at) => ({ property: "email", op: "EndsWith", value: `@${pick(domains, "e", ...at)}` }),
  () => ({ property: "email", op: "NotContain", value: "+spam" }),
  (...at) => ({ property: "keyId", op: "Contains", value: String(Math.floor(chance("k", ...at) * 10)) }),
  () => ({ property: "name", op: "StartsWith", value: "User 1" }),
  (...at) => ({ property: "version", op: "MatchRegex", value: `^${1 + ((at[0] ?? 0) % 5)}\\.[0-4]\\.` }),
  () => ({ property: "beta", op: "IsTrue", value: "IsTrue" }),
];

const kinds: readonly (readonly [type: string, values: readonly string[]])[] = [
  ["boolean", ["true", "false"]],
  ["string", ["Add to basket", "Buy now", "In den Korb – jetzt"]],
  ["number", ["10", "25", "50"]],
  ["json", ['{"columns":2,"dense":true}', '{"columns":3,"dense":false}']],
];

type Setting = Required<Omit<FlagsOptions, "segments">> & { readonly segmentIds: readonly string[] };

/** `n` flags with what they refer to. A tenth is off, every fourth runs an experiment, half roll out in slices. */
export function makeFlags(
  n: number,
  options: FlagsOptions = {},
): { readonly featureFlags: Flag[]; readonly segments: Segment[] } {
  const { seed = 1, rules = 3, users = 3, since = Date.UTC(2025, 0, 1) } = options;
  const { envId = guid("environment", seed) } = options;
  const segmentIds = Array.from({ length: options.segments ?? 2 }, (_, i) => guid("segment", seed, i));
  const setting: Setting = { seed, envId, rules, users, since, segmentIds };
  return {
    featureFlags: Array.from({ length: n }, (_, i) => makeFlag(setting, i)),
    segments: segmentIds.map((id, i) => makeSegment(setting, id, i)),
  };
}

function makeSegment(setting: Setting, id: string, i: number): Segment {
  const { seed, envId, since } = setting;
  const conditions = [condition(seed, -1, i), condition(seed, -2, i)];
  return {
    id,
    envId,
    name: `Segment ${i}`,
    description: "",
    included: someUsers(setting, "in", i),
    excluded: someUsers(setting, "out", i),
    rules: [{ id: guid("segment rule", seed, i), name: "Rule 1", conditions }],
    updatedAt: writeTime(since + i * 1000),
    isArchived: false,
  };
}

function makeFlag(setting: Setting, i: number): Flag {
  const { seed, envId, segmentIds } = setting;
  const [variationType, values] = kinds[i % kinds.length] ?? ["string", []];
  const variations = values.map((value, v) => ({
    id: guid("variation", seed, i, v),
    name: `Variation ${v}`,
    value,
  }));
  const ids = variations.map(({ id }) => id);
  const isExperiment = i % 4 === 1;
  const segmentId = segmentIds[i % Math.max(1, segmentIds.length)];
  return {
    id: guid("flag", seed, i),
    envId,
    name: `Flag ${i}`,
    description: `What flag ${i} decides`,
    key: `flag-${i}`,
    variationType,
    variations,
    targetUsers:
      setting.users > 0 ? [{ keyIds: someUsers(setting, "target", i), variationId: ids[0] ?? "" }] : [],
    rules: Array.from({ length: setting.rules }, (_, r) => ({
      id: guid("rule", seed, i, r),
      name: `Rule ${r + 1}`,
      dispatchKey: r % 3 === 2 ? "country" : null,
      includedInExpt: isExperiment && r === 0,
      conditions:
        r === 0 && segmentId !== undefined
          ? [segmentCondition(seed, i, segmentId)]
          : [condition(seed, i, r, 0), condition(seed, i, r, 1)],
      variations: r % 2 === 1 ? slices(ids, isExperiment) : whole(ids, r),
    })),
    isEnabled: i % 10 !== 9,
    disabledVariationId: ids.at(-1) ?? "",
    fallthrough: {
      dispatchKey: i % 5 === 4 ? "plan" : null,
      includedInExpt: isExperiment,
      variations: i % 2 === 0 || isExperiment ? slices(ids, isExperiment) : whole(ids, ids.length - 1),
    },
    exptIncludeAllTargets: i % 8 === 1,
    tags: i % 3 === 0 ? ["web", "checkout"] : [],
    updatedAt: writeTime(setting.since + (segmentIds.length + i) * 1000),
    isArchived: false,
  };
}

function someUsers({ seed, users }: Setting, ...words: readonly (string | number)[]): string[] {
  return Array.from(
    { length: users },
    (_, i) => `user-${Math.floor(chance("named", seed, ...words, i) * 10_000)}`,
  );
}

function condition(seed: number, ...at: number[]): Condition {
  const make = pick(conditions, "condition", seed, ...at);
  return { id: guid("condition", seed, ...at), ...make(seed, ...at) };
}

function segmentCondition(seed: number, i: number, segmentId: string): Condition {
  const property = i % 7 === 6 ? "User is not in segment" : "User is in segment";
  return { id: guid("in segment", seed, i), property, op: null, value: JSON.stringify([segmentId]) };
}

/** Everybody gets one variation. */
function whole(ids: readonly string[], which: number): Rollout[] {
  return ids.map((id, v) => ({ id, rollout: v === which % ids.length ? [0, 1] : [0, 0], exptRollout: 1 }));
}

/** Every variation gets as many; in an experiment, half of them take part. */
function slices(ids: readonly string[], isExperiment: boolean): Rollout[] {
  const share = 1 / ids.length;
  return ids.map((id, v) => ({
    id,
    rollout: [v * share, v === ids.length - 1 ? 1 : (v + 1) * share],
    exptRollout: isExperiment ? share / 2 : 1,
  }));
}

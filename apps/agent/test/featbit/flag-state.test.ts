import { makeFlags } from "@posthouse/testkit/featbit/generate";
import type { Dump } from "@posthouse/testkit/featbit/shapes";
import { dumpDifferences } from "@posthouse/testkit/featbit/truth";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDump } from "../../src/replica/featbit/dump.ts";
import { compileDump } from "../../src/replica/featbit/dump-compiler.ts";
import {
  type EnvironmentChange,
  emptyState,
  type FlagState,
  type PatchItems,
  patchState,
  replaceState,
} from "../../src/replica/featbit/flag-state.ts";
import { createBackup } from "../../src/replica/featbit/manual.ts";

const base = makeFlags(6, { segments: 2 });
const envId = base.featureFlags[0]?.envId ?? "";
const start = Date.UTC(2026, 0, 1);
const secrets = [{ type: "server" as const, projectKey: "p", envId, envKey: "e", value: "s".repeat(44) }];

const replace = (before: FlagState, dump: Dump) =>
  replaceState(before, compileDump(before.flagSet, parseDump(dump)));
const backupOf = (state: FlagState): Dump => createBackup(state) as unknown as Dump;

interface Edit {
  readonly kind: "flag" | "segment";
  readonly index: number;
  readonly value: boolean;
}

const edits = fc.array(
  fc.record({
    kind: fc.constantFrom("flag" as const, "segment" as const),
    index: fc.nat(5),
    value: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

/** A history of one environment: what each edit pushed, and everything as it is in the end. */
function replay(list: readonly Edit[]): { pushes: PatchItems[]; full: Dump } {
  const flags = [...base.featureFlags];
  const segments = [...base.segments];
  const pushes = list.map(({ kind, index, value }, at): PatchItems => {
    const updatedAt = new Date(start + at * 7).toISOString();
    if (kind === "flag") {
      const flag = { ...(flags[index % flags.length] as (typeof flags)[0]), isEnabled: value, updatedAt };
      flags[index % flags.length] = flag;
      return { featureFlags: [flag], segments: [] };
    }
    const segment = {
      ...(segments[index % segments.length] as (typeof segments)[0]),
      isArchived: value,
      updatedAt,
    };
    segments[index % segments.length] = segment;
    return { featureFlags: [], segments: [segment] };
  });
  const full = { eventType: "rp_full", items: [{ envId, secrets, featureFlags: flags, segments }] };
  return { pushes, full };
}

const first = (): FlagState =>
  replace(emptyState, {
    eventType: "rp_full",
    items: [{ envId, secrets, ...base }],
  }).state;

/** What an SDK has that took every change. */
function follow(held: Map<string, string>, changes: readonly EnvironmentChange[], state: FlagState): void {
  for (const { environment, kind, flags, segments } of changes) {
    const now = state.flagSet.environments.get(environment);
    if (kind === "full") held.clear();
    const told = kind === "full" ? [...(now?.flags.values() ?? []), ...(now?.segments.values() ?? [])] : [];
    for (const { id, json } of [...told, ...flags, ...segments]) held.set(id, json);
  }
}

const itemsOf = (state: FlagState): Map<string, string> =>
  new Map(
    [...state.flagSet.environments.values()].flatMap(({ flags, segments }) =>
      [...flags.values(), ...segments.values()].map(({ id, json }): [string, string] => [id, json]),
    ),
  );

describe("the state of the flags", () => {
  it("is the same whatever the order of patches and however often they come", () => {
    fc.assert(
      fc.property(edits, fc.infiniteStream(fc.nat()), (list, numbers) => {
        const { pushes, full } = replay(list);
        const order = [...pushes, ...pushes.slice(0, 3)]
          .map((push): [number, PatchItems] => [numbers.next().value as number, push])
          .sort(([a], [b]) => a - b)
          .map(([, push]) => push);
        let state = first();
        for (const push of order) state = patchState(state, [push]).state;
        expect(dumpDifferences(full, backupOf(state))).toEqual([]);
        expect(dumpDifferences(full, backupOf(patchState(first(), order).state))).toEqual([]);
        expect(state.dataVersion).toBe(start + (list.length - 1) * 7);
      }),
    );
  });

  it("tells every change, and none when nothing changed", () => {
    fc.assert(
      fc.property(edits, edits, (one, other) => {
        const held = new Map(itemsOf(first()));
        let state = first();
        for (const push of replay(one).pushes) {
          const change = patchState(state, [push]);
          follow(held, change.environments, change.state);
          expect(patchState(change.state, [push])).toMatchObject({ state: change.state, environments: [] });
          state = change.state;
        }
        const change = replace(state, replay(other).full);
        follow(held, change.environments, change.state);
        expect(held).toEqual(itemsOf(change.state));
        const again = replace(change.state, replay(other).full);
        expect(again.state).toBe(change.state);
        expect(again.environments).toEqual([]);
      }),
    );
  });

  it("its marks never pass what could not be read, whatever comes later", () => {
    const broken = fc.constantFrom("text", "no id", "no rules", "wrong time");
    fc.assert(
      fc.property(edits, fc.nat(11), broken, (list, nth, how) => {
        const at = nth % list.length;
        const { pushes } = replay(list);
        const bad = [...(pushes[at]?.featureFlags ?? []), ...(pushes[at]?.segments ?? [])][0] as {
          id: string;
          updatedAt: string;
        };
        const { id, ...rest } = bad;
        const spoilt = {
          text: "spoilt",
          "no id": rest,
          "no rules": { ...bad, rules: "none", variations: 7, included: 7 },
          "wrong time": { ...bad, updatedAt: "yesterday" },
        }[how];
        let state = first();
        for (const [index, push] of pushes.entries()) {
          const items = index === at ? { envId, featureFlags: [spoilt], segments: [] } : push;
          const change = patchState(state, [items]);
          if (index === at) expect(change.problems.map(({ code }) => code)).toEqual(["FLAG_INVALID"]);
          state = change.state;
        }
        const mark = state.environments.get(envId)?.mark ?? 0;
        expect(mark).toBeLessThan(Date.parse(bad.updatedAt));
        const { full } = replay(list);
        const healed = replace(state, full).state;
        expect(healed.environments.get(envId)?.mark).toBe(start + (list.length - 1) * 7);
      }),
    );
  });

  it("keeps what a full sync has broken, and loses what it does not have", () => {
    const { full } = replay([{ kind: "flag", index: 1, value: true }]);
    const [item] = full.items as unknown as [Record<string, unknown> & { featureFlags: unknown[] }];
    const [gone, , ...flags] = item.featureFlags as { id: string }[];
    const sent = {
      ...item,
      featureFlags: [...flags, { ...base.featureFlags[1], rules: "none", variations: 1 }],
    };
    const { state } = replace(first(), { ...full, items: [sent] } as unknown as Dump);
    const now = state.flagSet.environments.get(envId)?.flags;
    expect(now?.has(gone?.id ?? "")).toBe(false);
    expect(now?.get(base.featureFlags[1]?.id ?? "")?.json).toBe(JSON.stringify(base.featureFlags[1]));
  });

  it("leaves out items of environments that are not known", () => {
    const strange = { ...base.featureFlags[0], envId: "other", updatedAt: new Date(start).toISOString() };
    const before = first();
    expect(patchState(before, [{ featureFlags: [strange], segments: [] }]).state).toBe(before);
  });

  it("knows an environment without items, and tells of it once", () => {
    const empty: Dump = {
      eventType: "rp_full",
      items: [{ envId, secrets, featureFlags: [], segments: [] }],
    };
    const { state, environments } = replace(emptyState, empty);
    expect(environments).toMatchObject([{ environment: envId, kind: "full" }]);
    expect(replace(state, empty).environments).toEqual([]);
  });
});

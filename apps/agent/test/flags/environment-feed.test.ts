import { parseFlagUser } from "@posthouse/flags";
import { makeFlags, makeUser } from "@posthouse/testkit/featbit/generate";
import fc from "fast-check";
import { expect, test } from "vitest";
import { EnvironmentFeed } from "../../src/flags/environment-feed.ts";
import { encodeFrame, frameMessage } from "../../src/flags/text-frame.ts";
import { parseDump } from "../../src/replica/featbit/dump.ts";
import { compileDump } from "../../src/replica/featbit/dump-compiler.ts";
import {
  emptyState,
  type FlagState,
  patchState,
  replaceState,
} from "../../src/replica/featbit/flag-state.ts";

const envId = "3f2b8c1e-7a54-4d0b-9c6e-2f1d0a9b8c7d";
const [flagCount, segmentCount] = [6, 2];
const all = makeFlags(flagCount, { envId, segments: segmentCount });
const user = parseFlagUser(makeUser(3));

const dump = (skipped?: number) =>
  parseDump({
    items: [
      {
        envId,
        secrets: [],
        segments: all.segments,
        featureFlags: all.featureFlags.filter((_, at) => at !== skipped),
      },
    ],
  });

type Step =
  | { readonly kind: "flag" | "segment"; readonly at: number; readonly second: number }
  | { readonly kind: "tell"; readonly who: number }
  | { readonly kind: "whole"; readonly skipped: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("flag" as const, "segment" as const),
    at: fc.nat(flagCount - 1),
    second: fc.nat(50),
  }),
  fc.record({ kind: fc.constant("tell" as const), who: fc.nat(2) }),
  fc.record({ kind: fc.constant("whole" as const), skipped: fc.nat(flagCount) }),
);

/** An SDK: what it was told, and up to where. */
interface Sdk {
  told: number;
  items: Map<string, unknown>;
}

function take(sdk: Sdk, text: string): void {
  const { eventType, featureFlags, segments = [] } = JSON.parse(text).data;
  if (eventType === "full") sdk.items = new Map();
  for (const each of [...featureFlags, ...segments]) sdk.items.set(each.id, each);
}

test("whoever is told when, after the last telling everybody has the same", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let state: FlagState = replaceState(emptyState, compileDump(emptyState.flagSet, dump())).state;
      let number = 0;
      const feed = new EnvironmentFeed(envId, state, { value: 0 });
      const server = (sdk: Sdk): void => {
        const frame = feed.needsFull(sdk.told) ? feed.serverAnswer(0) : feed.serverPatch(sdk.told);
        if (frame !== undefined) take(sdk, frameMessage(frame).toString());
        sdk.told = feed.number;
      };
      const client = (sdk: Sdk): void => {
        const text = feed.needsFull(sdk.told) ? feed.clientAnswer(user, 0) : feed.clientPatch(user, sdk.told);
        if (text !== undefined) take(sdk, text);
        sdk.told = feed.number;
      };
      const start = (text: string): Sdk => {
        const sdk = { told: 0, items: new Map() };
        take(sdk, text);
        return sdk;
      };
      const servers = [0, 1, 2].map(() => start(frameMessage(feed.serverAnswer(0)).toString()));
      const clients = [0, 1, 2].map(() => start(feed.clientAnswer(user, 0) ?? ""));
      const apply = (change: ReturnType<typeof patchState>): void => {
        state = change.state;
        number++;
        for (const { kind } of change.environments) feed.change(state, number, kind);
      };
      for (const each of steps) {
        if (each.kind === "tell") {
          server(servers[each.who] as Sdk);
          client(clients[each.who] as Sdk);
        } else if (each.kind === "whole")
          apply(replaceState(state, compileDump(state.flagSet, dump(each.skipped))));
        else {
          const updatedAt = new Date(Date.UTC(2026, 0, 1, 0, 0, each.second)).toISOString();
          const flag = { ...all.featureFlags[each.at], isEnabled: each.second % 2 === 0, updatedAt };
          const segment = {
            ...all.segments[each.at % segmentCount],
            included: [`user-${each.second % 5}`],
            updatedAt,
          };
          apply(
            patchState(state, [
              each.kind === "flag"
                ? { featureFlags: [flag], segments: [] }
                : { featureFlags: [], segments: [segment] },
            ]),
          );
        }
      }
      servers.forEach(server);
      clients.forEach(client);
      const fresh = start(frameMessage(feed.serverAnswer(0)).toString());
      for (const sdk of servers) expect(sdk.items).toEqual(fresh.items);
      const freshClient = start(feed.clientAnswer(user, 0) ?? "");
      for (const sdk of clients) expect(sdk.items).toEqual(freshClient.items);
    }),
    { numRuns: 200 },
  );
});

test("a client that was away and asks by time has, after the answer, what one that stayed has", () => {
  const later = "2026-01-01T00:00:00Z";
  const before = replaceState(emptyState, compileDump(emptyState.flagSet, dump())).state;
  const feed = new EnvironmentFeed(envId, before, { value: 0 });
  const away = { told: 0, items: new Map() };
  take(away, feed.clientAnswer(user, 0) ?? "");
  const newest = Math.max(
    ...[...away.items.values()].map((flag) => (flag as { timestamp: number }).timestamp),
  );
  const segment = { ...all.segments[0], included: [user.keyId], excluded: [], updatedAt: later };
  const { state } = patchState(before, [{ featureFlags: [], segments: [segment] }]);
  feed.change(state, 1, "patch");
  take(away, feed.clientAnswer(user, newest) ?? "");
  const stayed = { told: 0, items: new Map() };
  take(stayed, feed.clientAnswer(user, 0) ?? "");
  expect(away.items).toEqual(stayed.items);
});

test.each([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])("a frame of %i bytes", (length) => {
  const text = "é".repeat(Math.floor(length / 2)) + "x".repeat(length % 2);
  const frame = encodeFrame(text);
  expect(frame[0]).toBe(0x81);
  expect(frame[1]).toBe(length < 126 ? length : length < 65_536 ? 126 : 127);
  if (length >= 126 && length < 65_536) expect(frame.readUInt16BE(2)).toBe(length);
  if (length >= 65_536) expect(frame.readBigUInt64BE(2)).toBe(BigInt(length));
  expect(frameMessage(frame).toString()).toBe(text);
});

/** What an agent is told that has its flags from this one, as FeatBit tells it to agents (2.3, 2.4). */
import type { Environment, FlagState } from "../replica/featbit/flag-state.ts";
import type { FlagStore } from "../replica/featbit/flag-store.ts";
import type { Feeds } from "./feeds.ts";
import { syncTimestamp } from "./message.ts";
import type { RelayScope } from "./relay-access.ts";
import { encodeFrame } from "./text-frame.ts";
import type { SyncRequest, Topic } from "./topic.ts";

/** Undefined while there is no environment for it to serve. */
export function createRelayTopic(
  admitted: RelayScope,
  { store, feeds }: { readonly store: FlagStore; readonly feeds: Feeds },
): Topic | undefined {
  const { environments: names } = admitted;
  const inScope = ({ environments }: FlagState): readonly [string, Environment][] =>
    [...environments].filter(([id, { secrets }]) =>
      names === undefined
        ? secrets.length > 0
        : names.some(
            (name) =>
              name.toLowerCase() === id ||
              secrets.some((each) => name === `${each.projectKey}:${each.envKey}`),
          ),
    );
  if (inScope(store.state).length === 0) return undefined;

  let scope = inScope(store.state);
  let keys = describeKeys(scope);
  /** The change after which its environments or their keys were others. */
  let scopeNumber = 0;
  let scopeChangedAt = 0;
  let lookedAt: FlagState = store.state;

  /** New keys and environments are told of by a full sync: a patch has no place for them. */
  function look(): void {
    if (lookedAt === store.state) return;
    lookedAt = store.state;
    scope = inScope(store.state);
    const now = describeKeys(scope);
    if (now === keys) return;
    keys = now;
    scopeNumber = feeds.number;
    scopeChangedAt = performance.now();
  }

  const full = (): Buffer =>
    encodeFrame(
      message(
        "rp_full",
        scope.map(([id, environment]) => item(id, environment, 0, secretsOf(environment))),
      ),
    );

  const topic: Topic = {
    kind: "relay",
    admitted,
    name: names?.join() ?? "all",
    get environments() {
      look();
      return new Set(scope.map(([id]) => id));
    },
    get number() {
      look();
      return Math.max(scopeNumber, ...scope.map(([id]) => feeds.of(id).number));
    },
    get changedAt() {
      return Math.max(scopeChangedAt, ...scope.map(([id]) => feeds.of(id).changedAt));
    },
    accept(data) {
      const timestamp = syncTimestamp(data);
      if (timestamp === undefined) return "bad_timestamp";
      return { timestamp, timestamps: readTimestamps(data) };
    },
    answer({ timestamp, timestamps }: SyncRequest) {
      look();
      if (timestamp === 0) return [full()];
      const items = scope.map(([id, environment]) => item(id, environment, timestamps?.get(id) ?? 0, "[]"));
      return [encodeFrame(message("rp_patch", items))];
    },
    update(number) {
      look();
      const own = scope.map(([id]) => feeds.of(id));
      if (number < scopeNumber || own.some((feed) => feed.needsFull(number))) return [full()];
      return own.flatMap((feed) => feed.serverPatch(number) ?? []);
    },
  };

  function item(id: string, { envId }: Environment, since: number, secrets: string): string {
    const { flags, segments } = feeds.of(id).items(since);
    return `{"envId":${JSON.stringify(envId)},"secrets":${secrets},"featureFlags":[${flags}],"segments":[${segments}]}`;
  }

  return topic;
}

function message(eventType: string, items: readonly string[]): string {
  return `{"messageType":"data-sync","data":{"eventType":"${eventType}","items":[${items.join()}]}}`;
}

function secretsOf({ secrets }: Environment): string {
  return JSON.stringify(
    secrets.map(({ type, projectKey, envId, envKey, value }) => ({
      type,
      projectKey,
      envId,
      envKey,
      value: value.reveal(),
    })),
  );
}

const describeKeys = (scope: readonly [string, Environment][]): string =>
  scope.map(([id, environment]) => id + secretsOf(environment)).join();

/** What a relay has of each environment, in ms. What cannot be read counts as nothing. */
function readTimestamps(data: unknown): ReadonlyMap<string, number> {
  const list: unknown = (data as { envs?: unknown } | null)?.envs;
  const entries = (Array.isArray(list) ? list : []).flatMap((each: unknown): [string, number][] => {
    const { envId, timestamp } = Object(each) as { envId?: unknown; timestamp?: unknown };
    return typeof envId === "string" && typeof timestamp === "number"
      ? [[envId.toLowerCase(), timestamp]]
      : [];
  });
  return new Map(entries);
}

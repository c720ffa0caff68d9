/**
 * Who may open a socket (3.5, 3.6). Every refusal is told after the upgrade, by a close code. 4003 is final for SDKs, so
 * it is for what can never succeed; a key that nobody may know of yet gets 1013, after which SDKs come back (10.6).
 */
import { parseConnectionToken } from "@posthouse/flags";
import type { FlagStore } from "../replica/featbit/flag-store.ts";
import type { Feeds } from "./feeds.ts";
import { environmentName } from "./feeds.ts";
import type { RelayAccess } from "./relay-access.ts";
import { createRelayTopic } from "./relay-topic.ts";
import { ClientTopic, createServerTopic, type Topic } from "./topic.ts";

export type RefusalCause = "type" | "version" | "token" | "skew" | "unknown_key" | "wrong_type" | "not_ready";

export type Admission =
  | { readonly topic: Topic }
  | {
      readonly cause: RefusalCause;
      readonly code: 4003 | 1013;
      readonly reason: string;
      /** Between the SDK's clock and ours, in ms. */
      readonly skewMs?: number;
    };

export interface AdmissionOptions {
  readonly store: FlagStore;
  readonly feeds: Feeds;
  readonly relays: RelayAccess;
  /** How far the SDK's clock may be from ours, in ms. */
  readonly toleranceMs: () => number;
}

const versions = ["", "1", "2"];
const invalid = "invalid request, close by server";
const tryAgain = "not ready, try again";

/** Makes the check. Names of the query are in lower case. */
export function createAdmission({
  store,
  feeds,
  relays,
  toleranceMs,
}: AdmissionOptions): (query: ReadonlyMap<string, string>) => Admission {
  const serverTopics = new Map<string, Topic>();

  const never = (cause: RefusalCause): Admission => ({ cause, code: 4003, reason: invalid });
  const unknown = (): Admission =>
    store.isAuthoritative ? never("unknown_key") : { cause: "not_ready", code: 1013, reason: tryAgain };

  function serverTopic(id: string): Topic {
    const known = serverTopics.get(id);
    if (known !== undefined) return known;
    const made = createServerTopic(feeds.of(id), environmentName(store.state, id));
    serverTopics.set(id, made);
    return made;
  }

  return (query) => {
    const type = query.get("type") ?? "";
    if (type !== "server" && type !== "client" && type !== "relay-proxy") return never("type");
    if (!versions.includes(query.get("version") ?? "")) return never("version");
    const token = query.get("token") ?? "";
    if (type === "relay-proxy") {
      const scope = relays.find(token);
      if (scope === undefined) return unknown();
      const topic = createRelayTopic(scope, { store, feeds });
      return topic === undefined ? { cause: "not_ready", code: 1013, reason: tryAgain } : { topic };
    }
    const read = readToken(token);
    if (read === undefined) return never("token");
    const skewMs = read.timestamp - Date.now();
    if (Math.abs(skewMs) > toleranceMs()) return { cause: "skew", code: 4003, reason: invalid, skewMs };
    const secret = store.findSecret(read.secret);
    if (secret === undefined) return unknown();
    if (secret.type !== type) return never("wrong_type");
    const shared = serverTopic(secret.envId.toLowerCase());
    if (type === "server") return { topic: shared };
    return { topic: new ClientTopic(feeds.of(secret.envId), shared.name, shared.environments) };
  };
}

function readToken(token: string): { readonly timestamp: number; readonly secret: string } | undefined {
  try {
    return parseConnectionToken(token);
  } catch {
    return undefined;
  }
}

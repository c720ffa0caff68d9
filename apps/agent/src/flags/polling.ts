/** The endpoints of SDKs that poll (3.10). */
import { type FlagUser, parseFlagUser } from "@posthouse/flags";
import { isPosthouseError } from "@posthouse/protocol";
import { type Exchange, headerValue } from "../http/exchange.ts";
import { BodyRefused, readJson } from "../http/json-body.ts";
import type { EnvironmentSecret } from "../replica/featbit/dump.ts";
import type { FlagStore } from "../replica/featbit/flag-store.ts";
import { answerJson, answerProblem } from "./answers.ts";
import { environmentName, type Feeds } from "./feeds.ts";
import type { FlagMetrics } from "./metrics.ts";
import type { Route } from "./router.ts";
import { frameMessage } from "./text-frame.ts";

export interface PollingOptions {
  readonly store: FlagStore;
  readonly feeds: Feeds;
  readonly metrics: FlagMetrics;
  readonly maxUserBytes: () => number;
}

/** Makes the two routes. What cannot be read is refused before the key is looked at, as FeatBit does. */
export function createPolling({ store, feeds, metrics, maxUserBytes }: PollingOptions): {
  readonly server: Route;
  readonly client: Route;
} {
  /** Undefined when it answered. */
  function admit(exchange: Exchange, type: EnvironmentSecret["type"]): EnvironmentSecret | undefined {
    const secret = store.findSecret((headerValue(exchange, "authorization") ?? "").trim());
    if (secret?.type === type) {
      metrics.polled({ kind: type, name: environmentName(store.state, secret.envId.toLowerCase()) }).value++;
      return secret;
    }
    // A key may become known as long as upstream has not said all: then the SDK is to ask again.
    const isFinal = store.isAuthoritative || secret !== undefined;
    metrics.keyRefused(`poll_${type}`, isFinal ? 401 : 503).value++;
    if (isFinal) answerProblem(exchange, 401);
    else answerProblem(exchange, 503, "not ready, try again", ["Retry-After", "5"]);
    return undefined;
  }

  return {
    server(exchange, query) {
      const since = readTimestamp(query);
      if (since === undefined) return answerProblem(exchange, 400, "timestamp: expected a whole number");
      const secret = admit(exchange, "server");
      if (secret === undefined) return;
      const feed = feeds.of(secret.envId);
      if (since !== 0 && !feed.hasNewer(since)) return answerJson(exchange, "");
      answerJson(exchange, frameMessage(feed.serverAnswer(since)));
    },
    async client(exchange, query) {
      const since = readTimestamp(query);
      if (since === undefined) return answerProblem(exchange, 400, "timestamp: expected a whole number");
      const user = readUser(await readJson(exchange, maxUserBytes()));
      const secret = admit(exchange, "client");
      if (secret === undefined) return;
      answerJson(exchange, feeds.of(secret.envId).clientAnswer(user, since) ?? "");
    },
  };
}

function readTimestamp(query: ReadonlyMap<string, string>): number | undefined {
  const text = query.get("timestamp") ?? "0";
  return /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : undefined;
}

function readUser(input: unknown): FlagUser {
  try {
    return parseFlagUser(input);
  } catch (error) {
    if (!isPosthouseError(error)) throw error;
    throw new BodyRefused(400, "invalid end user");
  }
}

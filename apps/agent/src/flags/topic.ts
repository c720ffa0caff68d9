/** What one socket is told, and how it asks for it: one of three kinds. */
import { type FlagUser, parseFlagUser } from "@posthouse/flags";
import { type EnvironmentFeed, emptyPatch } from "./environment-feed.ts";
import { type DropReason, syncTimestamp } from "./message.ts";
import type { RelayScope } from "./relay-access.ts";
import { encodeAsciiFrame, type Frame } from "./text-frame.ts";

export type SessionKind = "server" | "client" | "relay";

export interface Topic {
  readonly kind: SessionKind;
  /** For metrics: the environment's name. */
  readonly name: string;
  /** Of the last change that concerns it. */
  readonly number: number;
  /** When that was, `performance.now()`. */
  readonly changedAt: number;
  /** Ids, in lower case, of the environments that it is about. */
  readonly environments: ReadonlySet<string>;
  /** What the key of a relay opened when it came. */
  readonly admitted?: RelayScope;
  /** Takes the data of a data-sync, or says why it cannot. */
  accept(data: unknown): SyncRequest | DropReason;
  answer(request: SyncRequest): readonly Frame[];
  /** What a peer is owed that was told all up to `number`. */
  update(number: number): readonly Frame[];
}

export interface SyncRequest {
  /** The peer has everything up to here, in ms; 0: nothing. */
  readonly timestamp: number;
  /** The same by environment id in lower case, of relays. */
  readonly timestamps?: ReadonlyMap<string, number>;
}

/** A request that came before the one before it was answered: one answer does for both. */
export function joinRequests(first: SyncRequest | undefined, second: SyncRequest): SyncRequest {
  return first?.timestamp === 0 ? { ...second, timestamp: 0 } : second;
}

/** Of all server SDKs of an environment. */
export function createServerTopic(feed: EnvironmentFeed, name: string): Topic {
  return {
    kind: "server",
    name,
    environments: new Set([feed.id]),
    get number() {
      return feed.number;
    },
    get changedAt() {
      return feed.changedAt;
    },
    accept: acceptTimestamp,
    answer: ({ timestamp }) => [feed.serverAnswer(timestamp)],
    update(number) {
      if (feed.needsFull(number)) return [feed.serverAnswer(0)];
      const patch = feed.serverPatch(number);
      return patch === undefined ? [] : [patch];
    },
  };
}

/** Of one client SDK: its user is that of its last data-sync. */
export class ClientTopic implements Topic {
  readonly kind = "client";
  readonly name: string;
  readonly environments: ReadonlySet<string>;
  readonly #feed: EnvironmentFeed;
  #user: FlagUser | undefined;

  constructor(feed: EnvironmentFeed, name: string, environments: ReadonlySet<string>) {
    this.name = name;
    this.environments = environments;
    this.#feed = feed;
  }

  get number(): number {
    return this.#feed.number;
  }

  get changedAt(): number {
    return this.#feed.changedAt;
  }

  accept(data: unknown): SyncRequest | DropReason {
    const request = acceptTimestamp(data);
    if (typeof request === "string") return request;
    try {
      this.#user = parseFlagUser((data as { user?: unknown }).user);
    } catch {
      return "bad_user";
    }
    return request;
  }

  answer({ timestamp }: SyncRequest): readonly Frame[] {
    const user = this.#user as FlagUser;
    return [encodeAsciiFrame(this.#feed.clientAnswer(user, timestamp) ?? emptyPatch(user))];
  }

  update(number: number): readonly Frame[] {
    const user = this.#user as FlagUser;
    const message = this.#feed.needsFull(number)
      ? this.#feed.clientAnswer(user, 0)
      : this.#feed.clientPatch(user, number);
    return message === undefined ? [] : [encodeAsciiFrame(message)];
  }
}

function acceptTimestamp(data: unknown): SyncRequest | DropReason {
  const timestamp = syncTimestamp(data);
  return timestamp === undefined ? "bad_timestamp" : { timestamp };
}

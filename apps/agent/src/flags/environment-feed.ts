/**
 * What the SDKs of one environment are told. Every change of the environment has a number, and every flag and segment
 * the number of the change that touched it last: an SDK that was told everything up to a number is owed what has a
 * higher one. So nothing is queued per SDK, and one that is behind gets what happened meanwhile in one message.
 */
import {
  type Evaluation,
  effectiveTimestamp,
  evaluateFlag,
  evaluateForClient,
  type Flag,
  type FlagUser,
  type Segment,
  type SegmentIndex,
} from "@posthouse/flags";
import type { Tally } from "../core/metrics.ts";
import type { FlagState } from "../replica/featbit/flag-state.ts";
import { asciiJson, encodeFrame } from "./text-frame.ts";

interface FedFlag {
  readonly flag: Flag;
  /** The flag's, or that of a segment it names (3.9). */
  readonly timestamp: number;
  /** The change that touched the flag itself: what server SDKs are told. */
  readonly changed: number;
  /** The same, or a change of a segment that it names: what client SDKs are told. */
  readonly affected: number;
  /** The flag as clients get it, by what it evaluates to: few texts for all users. */
  readonly texts: Map<Evaluation, string>;
}

interface FedSegment {
  readonly segment: Segment;
  readonly changed: number;
}

/** Messages that all server SDKs share, per state: by what the SDK has. */
const sharedMessages = 16;

export class EnvironmentFeed {
  /** Of the last change. */
  number = 0;
  /** When it happened, `performance.now()`. */
  changedAt = 0;
  readonly id: string;
  readonly #evaluations: Tally;
  #flags: readonly FedFlag[] = [];
  #segments: readonly FedSegment[] = [];
  #index: SegmentIndex = new Map();
  /** Of the last change that no patch can say. */
  #fullNumber = 0;
  readonly #shared: Map<string, Buffer> = new Map();

  constructor(id: string, state: FlagState, evaluations: Tally) {
    this.id = id;
    this.#evaluations = evaluations;
    this.#take(state, 0);
  }

  /** Takes the next state. Returns whether something changed in it; if so the change has this number. */
  change(state: FlagState, number: number, kind: "patch" | "full"): boolean {
    const isChanged = this.#take(state, number) || kind === "full";
    if (!isChanged) return false;
    if (kind === "full") this.#fullNumber = number;
    this.number = number;
    this.changedAt = performance.now();
    return true;
  }

  /** True when only the whole brings an SDK up to date that was told all up to `number`. */
  needsFull(number: number): boolean {
    return number < this.#fullNumber;
  }

  /** The frame that answers a server SDK which has everything up to this time; 0: nothing (3.7, 3.8). */
  serverAnswer(since: number): Buffer {
    return this.#share(`since ${since}`, () =>
      since === 0
        ? serverMessage("full", this.#flags, this.#segments)
        : serverMessage(
            "patch",
            this.#flags.filter(({ flag }) => flag.timestamp > since),
            this.#segments.filter(({ segment }) => segment.timestamp > since),
          ),
    );
  }

  /** Whether a server SDK that has everything up to this time lacks something. */
  hasNewer(since: number): boolean {
    return (
      this.#flags.some(({ flag }) => flag.timestamp > since) ||
      this.#segments.some(({ segment }) => segment.timestamp > since)
    );
  }

  /** The frame for a server SDK that was told all up to `number`; undefined when that is all there is. */
  serverPatch(number: number): Buffer | undefined {
    const flags = this.#flags.filter(({ changed }) => changed > number);
    const segments = this.#segments.filter(({ changed }) => changed > number);
    if (flags.length + segments.length === 0) return undefined;
    return this.#share(`from ${number}`, () => serverMessage("patch", flags, segments));
  }

  /** The message, in ASCII, that answers a client SDK; undefined instead of an empty patch. */
  clientAnswer(user: FlagUser, since: number): string | undefined {
    return since === 0
      ? this.#clientMessage("full", user, () => true)
      : this.#clientMessage("patch", user, ({ timestamp }) => timestamp > since);
  }

  /** The message, in ASCII, for a client SDK that was told all up to `number`; undefined when that is all there is. */
  clientPatch(user: FlagUser, number: number): string | undefined {
    return this.#clientMessage("patch", user, ({ affected }) => affected > number);
  }

  /** Flags and segments as they came, those newer than a time: for relays (2.4). */
  items(since: number): { readonly flags: string; readonly segments: string } {
    const flags = this.#flags.filter(({ flag }) => flag.timestamp > since).map(({ flag }) => flag.json);
    const segments = this.#segments
      .filter(({ segment }) => segment.timestamp > since)
      .map(({ segment }) => segment.json);
    return { flags: flags.join(), segments: segments.join() };
  }

  #take({ flagSet }: FlagState, number: number): boolean {
    const environment = flagSet.environments.get(this.id);
    const touched = new Set<string>();
    const segmentsBefore = new Map(this.#segments.map((fed) => [fed.segment.id, fed]));
    const flagsBefore = new Map(this.#flags.map((fed) => [fed.flag.id, fed]));
    let isChanged = false;
    this.#segments = [...(environment?.segments.values() ?? [])].map((segment) => {
      const before = segmentsBefore.get(segment.id);
      if (before?.segment.json === segment.json) return { segment, changed: before.changed };
      touched.add(segment.id);
      isChanged = true;
      return { segment, changed: number };
    });
    this.#index = flagSet.segments;
    this.#flags = [...(environment?.flags.values() ?? [])].map((flag) => {
      const before = flagsBefore.get(flag.id);
      const timestamp = effectiveTimestamp(flag, this.#index);
      const isSame = before?.flag.json === flag.json;
      const isSameForClients = isSame && before.timestamp === timestamp && !namesAny(flag, touched);
      if (isSameForClients && before.flag === flag) return before;
      isChanged ||= !isSameForClients;
      return {
        flag,
        timestamp,
        changed: isSame ? before.changed : number,
        affected: isSameForClients ? before.affected : number,
        texts: new Map(),
      };
    });
    this.#shared.clear();
    return isChanged;
  }

  #share(key: string, make: () => Buffer): Buffer {
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const made = make();
    if (this.#shared.size >= sharedMessages) this.#shared.clear();
    this.#shared.set(key, made);
    return made;
  }

  #clientMessage(
    eventType: "full" | "patch",
    user: FlagUser,
    isWanted: (fed: FedFlag) => boolean,
  ): string | undefined {
    let flags = "";
    let count = 0;
    for (const fed of this.#flags) {
      if (!isWanted(fed)) continue;
      flags += count++ === 0 ? this.#text(fed, user) : `,${this.#text(fed, user)}`;
    }
    this.#evaluations.value += count;
    return count === 0 && eventType === "patch" ? undefined : clientMessage(eventType, user, flags);
  }

  #text({ flag, timestamp, texts }: FedFlag, user: FlagUser): string {
    const evaluation = evaluateFlag(flag, user, this.#index);
    const known = texts.get(evaluation);
    if (known !== undefined) return known;
    const text = asciiJson(evaluateForClient(flag, user, this.#index, timestamp));
    texts.set(evaluation, text);
    return text;
  }
}

/** A message without a flag, which SDKs wait for all the same (3.7). */
export function emptyPatch(user: FlagUser): string {
  return clientMessage("patch", user, "");
}

function clientMessage(eventType: string, { keyId }: FlagUser, flags: string): string {
  const head = `{"messageType":"data-sync","data":{"eventType":"${eventType}","userKeyId":${asciiJson(keyId)}`;
  return `${head},"featureFlags":[${flags}]}}`;
}

function serverMessage(
  eventType: string,
  flags: readonly FedFlag[],
  segments: readonly FedSegment[],
): Buffer {
  const featureFlags = flags.map(({ flag }) => flag.json).join();
  const list = segments.map(({ segment }) => segment.json).join();
  return encodeFrame(
    `{"messageType":"data-sync","data":{"eventType":"${eventType}","featureFlags":[${featureFlags}],"segments":[${list}]}}`,
  );
}

function namesAny({ segmentIds }: Flag, touched: ReadonlySet<string>): boolean {
  if (touched.size === 0) return false;
  for (const id of segmentIds.keys()) if (touched.has(id)) return true;
  return false;
}

/**
 * What is said over one connection to FeatBit (2.2 to 2.5). The invariants:
 *  - Messages are handled one after another, in the order in which they came.
 *  - Until the first answer on this connection, changes that are pushed are kept, and applied together with it: a push
 *    alone could make a state that FeatBit never had.
 *  - What was pushed since everything was asked for is applied on top of that answer, which may be older.
 */

import { isPosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import * as z from "zod";
import { agentErrors } from "../../core/errors.ts";
import { fullRequest, patchRequest, ping } from "./agent-messages.ts";
import { type DumpEnvironment, parseSentDump } from "./dump.ts";
import { describeItem } from "./dump-compiler.ts";
import { parseSmallMessage, readDump } from "./dump-reader.ts";
import type { PatchItems } from "./flag-state.ts";
import type { FlagStore } from "./flag-store.ts";
import type { UpstreamAddress } from "./upstream-address.ts";
import type { DropReason, UpstreamCounters } from "./upstream-counters.ts";
import { openUpstreamSocket, type UpstreamEnd } from "./upstream-socket.ts";

export interface SessionOptions {
  readonly upstream: UpstreamAddress;
  readonly store: FlagStore;
  readonly counters: UpstreamCounters;
  readonly timing: SessionTiming;
  readonly maxPayload: number;
  readonly signal: AbortSignal;
  readonly log: Log;
  onConnected(): void;
  onSynced(): void;
  onInterrupted(): void;
  /** A status report (2.5); undefined while the agent is not registered. */
  statusMessage(): string | undefined;
}

export interface SessionTiming {
  readonly handshakeMs: number;
  readonly pingMs: number;
  readonly fullSyncMs: number;
  readonly statusMs: number;
  /** Full syncs that are wanted soon come no faster than this. */
  readonly soonMs: number;
}

export interface Session {
  /** Resolves when the connection is over and all that came over it is applied. Undefined: a new one is wanted at once. */
  readonly ended: Promise<UpstreamEnd | undefined>;
  reportStatus(): void;
  close(): void;
}

const envelope = z.looseObject({ messageType: z.string(), data: z.unknown() });
const syncData = z.looseObject({ eventType: z.string() });
const push = z.object({
  featureFlags: z.array(z.unknown()).nullish(),
  segments: z.array(z.unknown()).nullish(),
});

const mostPushedBytes = 16 * 1024 * 1024;
/** Fewer bytes than these within an interval are pongs, not an answer on its way. */
const trickleBytes = 1024;

export function openSession(options: SessionOptions): Session {
  const { store, counters, timing, log, signal, upstream } = options;
  const queue: Uint8Array[] = [];
  let pumping = Promise.resolve();
  let isPumping = false;
  let pending: { readonly kind: "full" | "patch"; readonly at: number } | undefined;
  let isAnswered = false;
  let isFullWanted = false;
  /** Pushes while the first answer, or that to a request for everything, is waited for. */
  let pushes: PatchItems[] = [];
  let pushedBytes = 0;
  /** The environments whose changes are pushed over this connection: those of its first full sync. */
  let pushedEnvironments: ReadonlySet<string> | undefined;
  let lastFullAt = Number.NEGATIVE_INFINITY;
  let fullTimer: NodeJS.Timeout | undefined;
  let fullDue = Number.POSITIVE_INFINITY;
  let pinging: NodeJS.Timeout | undefined;
  let reporting: NodeJS.Timeout | undefined;
  let silentEnd: UpstreamEnd | undefined;
  let isRenewal = false;
  const { promise: ended, resolve } = Promise.withResolvers<UpstreamEnd | undefined>();

  const socket = openUpstreamSocket({
    upstream,
    maxPayload: options.maxPayload,
    handshakeMs: timing.handshakeMs,
    onOpen() {
      counters.connects++;
      options.onConnected();
      pinging = setInterval(watch, timing.pingMs);
      reporting = setInterval(reportStatus, timing.statusMs);
      // What another source left in the store says nothing about this one.
      if (counters.fullSyncs > 0) requestPatch();
      else requestFull();
    },
    onMessage(bytes) {
      queue.push(bytes);
      if (!isPumping) pumping = pump();
    },
    onEnd: (end) => void finish(end),
  });

  async function finish(end: UpstreamEnd): Promise<void> {
    clearInterval(pinging);
    clearInterval(reporting);
    await pumping;
    clearTimeout(fullTimer);
    resolve(isRenewal ? undefined : (silentEnd ?? end));
  }

  async function pump(): Promise<void> {
    isPumping = true;
    for (let bytes = queue.shift(); bytes !== undefined; bytes = queue.shift()) {
      if (signal.aborted) break;
      socket.pause();
      try {
        await handle(bytes);
      } catch (error) {
        if (!signal.aborted) drop("invalid", error);
      }
    }
    isPumping = false;
    socket.resume();
  }

  async function handle(bytes: Uint8Array): Promise<void> {
    let parsed: ReturnType<typeof parseSmallMessage>;
    try {
      parsed = parseSmallMessage(bytes);
    } catch (error) {
      return drop("not_json", error);
    }
    if (parsed === undefined) return await handleLarge(bytes);
    const message = envelope.safeParse(parsed.message);
    if (!message.success) return drop("invalid", new Error("it has no messageType and data"));
    if (message.data.messageType === "data-sync") return await handleSync(message.data.data, bytes.length);
    if (message.data.messageType !== "pong") counters.dropped.unknown_type++;
  }

  /** Only a full sync is read in a thread; any other message of this size is replaced by one. */
  async function handleLarge(bytes: Uint8Array): Promise<void> {
    const dump = await readDump({ from: "message", bytes }, signal);
    if (dump !== undefined) return await applyFull(dump.pieces());
    if (pending?.kind === "patch") pending = undefined;
    counters.dropped.large++;
    requestFull();
  }

  async function handleSync(input: unknown, bytes: number): Promise<void> {
    const data = syncData.safeParse(input);
    if (!data.success) return drop("invalid", new Error("its data has no eventType"));
    switch (data.data.eventType) {
      case "rp_full":
        return await applyFull(parseSentDump(input));
      case "rp_patch":
        return applyPatch(parseSentDump(input));
      case "patch":
        return applyPush(input, bytes);
      default:
        counters.dropped.unknown_type++;
    }
  }

  async function applyFull(dump: AsyncIterable<DumpEnvironment> | Iterable<DumpEnvironment>): Promise<void> {
    if (pending?.kind === "full") pending = undefined;
    const since = pushes;
    forgetPushes();
    await store.load(withPushes(dump, since), "upstream", signal);
    counters.fullSyncs++;
    synced();
    scheduleFull(timing.fullSyncMs * (1 - 0.2 * Math.random()));
    if (isAnyUnheard()) {
      isRenewal = true;
      socket.close();
    }
  }

  /** Changes of environments that came into scope later are not pushed over this connection. */
  function isAnyUnheard(): boolean {
    const reachable = [...store.state.environments]
      .filter(([, { secrets }]) => secrets.some(({ type }) => type === "server"))
      .map(([id]) => id);
    pushedEnvironments ??= new Set(reachable);
    return reachable.some((id) => pushedEnvironments?.has(id) === false);
  }

  function applyPatch(items: readonly PatchItems[]): void {
    if (pending?.kind === "patch") pending = undefined;
    counters.patches++;
    const isFirst = !isAnswered;
    patch(isFirst ? [...items, ...pushes] : items);
    synced();
    if (isFirst) wantFullSoon();
  }

  function applyPush(input: unknown, bytes: number): void {
    const read = push.safeParse(input);
    if (!read.success) {
      drop("invalid", new Error("its lists are none"));
      return;
    }
    const items = { featureFlags: read.data.featureFlags ?? [], segments: read.data.segments ?? [] };
    counters.pushes++;
    if (!isAnswered || pending?.kind === "full") keepPush(items, bytes);
    if (!isAnswered) return;
    patch([items]);
    synced();
  }

  /** What does not fit is healed by another full sync. */
  function keepPush(items: PatchItems, bytes: number): void {
    pushedBytes += bytes;
    if (pushedBytes <= mostPushedBytes) pushes.push(items);
    else isFullWanted = true;
  }

  function patch(items: readonly PatchItems[]): void {
    const { environments } = store.state;
    const isUnknown = (entry: unknown): boolean => {
      const { environment } = describeItem(entry);
      return environment !== undefined && !environments.has(environment);
    };
    const problems = store.patch(items);
    const isBroken = problems.some(({ code }) => code === "FLAG_INVALID" || code === "SEGMENT_INVALID");
    if (isBroken || items.some((each) => [...each.featureFlags, ...each.segments].some(isUnknown)))
      wantFullSoon();
  }

  function synced(): void {
    const isFirst = !isAnswered;
    isAnswered = true;
    options.onSynced();
    if (isFirst) reportStatus();
    if (isFullWanted && pending === undefined) requestFull();
  }

  function forgetPushes(): void {
    pushes = [];
    pushedBytes = 0;
  }

  function requestPatch(): void {
    const request = patchRequest(store.state);
    if (request === fullRequest) {
      requestFull();
      return;
    }
    pending = { kind: "patch", at: performance.now() };
    socket.send(request);
  }

  function requestFull(): void {
    clearTimeout(fullTimer);
    fullDue = Number.POSITIVE_INFINITY;
    isFullWanted = pending !== undefined;
    if (pending !== undefined || !socket.isOpen) return;
    if (isAnswered) forgetPushes();
    lastFullAt = performance.now();
    pending = { kind: "full", at: lastFullAt };
    socket.send(fullRequest);
  }

  /** The earlier of what is scheduled already and this. */
  function scheduleFull(delayMs: number): void {
    const due = performance.now() + delayMs;
    if (due >= fullDue || !socket.isOpen) return;
    fullDue = due;
    clearTimeout(fullTimer);
    fullTimer = setTimeout(requestFull, delayMs);
  }

  function wantFullSoon(): void {
    const soonMs = Math.min(timing.soonMs, timing.fullSyncMs);
    const rest = lastFullAt + soonMs - performance.now();
    scheduleFull(Math.max(rest, 0) + 0.5 * soonMs * Math.random());
  }

  function drop(reason: DropReason, cause: unknown): void {
    counters.dropped[reason]++;
    const message = isPosthouseError(cause) || cause instanceof Error ? cause.message : String(cause);
    const error = agentErrors.create("FEATBIT_MESSAGE_UNUSABLE", { reason: message });
    log.warn({ error }, "a message was left out; everything is asked for anew");
    options.onInterrupted();
    // It may have been the answer that is waited for.
    pending = undefined;
    wantFullSoon();
  }

  let seenBytes = 0;
  let seenAt = performance.now();
  function watch(): void {
    const now = performance.now();
    const arrived = socket.bytesRead - seenBytes;
    seenBytes = socket.bytesRead;
    if (arrived > 0 || isPumping) seenAt = now;
    const limitMs = 2 * timing.pingMs;
    const isLate = pending !== undefined && now - pending.at >= limitMs && arrived < trickleBytes;
    if (now - seenAt >= limitMs || (isLate && !isPumping && pending?.kind === "full")) {
      cut(limitMs);
      return;
    }
    if (isLate && pending?.kind === "patch") {
      counters.unanswered++;
      pending = undefined;
      requestFull();
    }
    socket.send(ping);
  }

  function cut(limitMs: number): void {
    const values = { address: upstream.address, seconds: limitMs / 1000 };
    const error = agentErrors.create("FEATBIT_SILENT", values);
    silentEnd = { error, isRefused: false, retryAfterMs: 0 };
    socket.terminate();
  }

  function reportStatus(): void {
    const message = options.statusMessage();
    if (message !== undefined) socket.send(message);
  }

  return { ended, reportStatus, close: () => socket.close() };
}

/** The pushes of environments that the dump has, after it: what is newer counts. */
async function* withPushes(
  dump: AsyncIterable<DumpEnvironment> | Iterable<DumpEnvironment>,
  pushes: readonly PatchItems[],
): AsyncGenerator<DumpEnvironment> {
  const environments = new Map<string, string>();
  for await (const piece of dump) {
    environments.set(piece.envId.toLowerCase(), piece.envId);
    yield piece;
  }
  for (const { featureFlags, segments } of pushes) {
    for (const [kind, items] of Object.entries({ featureFlags, segments })) {
      for (const item of items) {
        const envId = environments.get(describeItem(item).environment ?? "");
        if (envId !== undefined) yield { envId, secrets: [], featureFlags: [], segments: [], [kind]: [item] };
      }
    }
  }
}

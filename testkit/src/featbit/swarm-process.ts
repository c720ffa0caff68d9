/** The swarm's own process: does what the test that started it says, and ends with it. */
import { setTimeout as sleep } from "node:timers/promises";
import { noTally, SwarmMember } from "./swarm-member.ts";
import { ServerReader } from "./swarm-messages.ts";
import {
  type Arrivals,
  type SwarmCommands,
  type SwarmGroup,
  type SwarmReply,
  type SwarmReport,
  type SwarmRequest,
  steadyNow,
} from "./swarm-protocol.ts";

interface Waiter {
  readonly isDone: (member: SwarmMember) => boolean;
  readonly pending: Set<SwarmMember>;
  readonly finish: () => void;
}

const members: SwarmMember[] = [];
const waiters = new Set<Waiter>();
const tally = noTally();
const connectTickMs = 10;

/** SDKs ping each 18 s; a hundredth of them at a time. */
const pingEveryMs = 18_000;
const pingSlices = 100;
let pingSlice = 0;
setInterval(() => {
  for (let at = pingSlice; at < members.length; at += pingSlices) members[at]?.ping();
  pingSlice = (pingSlice + 1) % pingSlices;
}, pingEveryMs / pingSlices);

function onProgress(member: SwarmMember): void {
  for (const waiter of waiters) {
    if (waiter.isDone(member) && waiter.pending.delete(member) && waiter.pending.size === 0) waiter.finish();
  }
}

const reading = (): SwarmMember[] => members.filter(({ isFrozen }) => !isFrozen);

async function waitFor(timeOf: (member: SwarmMember) => number, deadlineMs: number): Promise<Arrivals> {
  const isDone = (member: SwarmMember): boolean => timeOf(member) > 0;
  const pending = new Set(reading().filter((member) => !isDone(member)));
  if (pending.size > 0) {
    await new Promise<void>((resolve) => {
      const waiter: Waiter = { isDone, pending, finish: resolve };
      waiters.add(waiter);
      setTimeout(resolve, deadlineMs);
    });
    for (const waiter of waiters) if (waiter.pending === pending) waiters.delete(waiter);
  }
  const times = Float64Array.from(
    reading()
      .map(timeOf)
      .filter((at) => at > 0),
  ).sort();
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)] ?? 0;
  const missing = reading().length - times.length;
  return { count: times.length, missing, first: at(0), median: at(0.5), p99: at(0.99), last: at(1) };
}

async function openAll(opened: readonly SwarmMember[], ratePerSecond: number): Promise<void> {
  const started = steadyNow();
  let count = 0;
  while (count < opened.length) {
    const due = Math.min(opened.length, Math.ceil(((steadyNow() - started) / 1000) * ratePerSecond) || 1);
    while (count < due) opened[count++]?.open();
    if (count < opened.length) await sleep(connectTickMs);
  }
}

type Handlers = {
  [K in keyof SwarmCommands]: (
    ...args: Parameters<SwarmCommands[K]>
  ) => ReturnType<SwarmCommands[K]> | Promise<ReturnType<SwarmCommands[K]>>;
};

const handlers: Handlers = {
  connect(group: SwarmGroup) {
    const reader = new ServerReader();
    const { hostname, port } = new URL(group.url);
    const address = { host: hostname, port: Number(port) };
    const added = Array.from(
      { length: group.count },
      (_, index) => new SwarmMember(group, index, address, reader, tally, onProgress),
    );
    members.push(...added);
    void openAll(added, group.ratePerSecond ?? Number.POSITIVE_INFINITY);
  },
  awaitSynced: (deadlineMs) => waitFor(({ syncedAt }) => syncedAt, deadlineMs),
  awaitVersion: (timestamp, deadlineMs) =>
    waitFor(({ arrivals }) => arrivals.find(([version]) => version >= timestamp)?.[1] ?? 0, deadlineMs),
  freeze(count) {
    for (const member of reading()
      .filter(({ isOpen }) => isOpen)
      .slice(0, count))
      member.freeze();
  },
  async droppedFrozen() {
    const frozen = members.filter(({ isFrozen }) => isFrozen);
    // The first write is answered with a reset, the second fails.
    for (let i = 0; i < 2; i++) {
      for (const member of frozen) member.probe();
      await sleep(probeMs);
    }
    return frozen.filter(({ isOpen }) => !isOpen).length;
  },
  reconnect(from) {
    for (const member of members) member.reset(from);
    void openAll(members, Number.POSITIVE_INFINITY);
  },
  report(): SwarmReport {
    const { user, system } = process.cpuUsage();
    const count = (is: (member: SwarmMember) => boolean): number => members.filter(is).length;
    return {
      ...tally,
      sockets: members.length,
      open: count(({ isOpen }) => isOpen),
      synced: count(({ isOpen, syncedAt }) => isOpen && syncedAt > 0),
      frozen: count(({ isFrozen }) => isFrozen),
      rssBytes: process.memoryUsage.rss(),
      cpuMs: (user + system) / 1000,
    };
  },
};

const probeMs = 100;

process.on("message", async ({ id, name, args }: SwarmRequest) => {
  const handler = handlers[name] as (...args: readonly unknown[]) => unknown;
  const reply: SwarmReply = await Promise.resolve()
    .then(() => handler(...args))
    .then(
      (result) => ({ id, result }),
      (error: unknown) => ({ id, error: String(error) }),
    );
  process.send?.(reply);
});
process.on("disconnect", () => process.exit());

import { spoilings } from "@posthouse/testkit/featbit/faults";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fullRequest } from "../../src/replica/featbit/agent-messages.ts";
import { Bench, backupOf, type RunningSource } from "./harness.ts";

let bench: Bench;
let running: RunningSource;
beforeEach(async () => {
  bench = await Bench.create();
});
afterEach(() => bench[Symbol.asyncDispose]());

const agrees = (): Promise<void> =>
  vi.waitFor(() => expect(bench.differences(running)).toEqual([]), { timeout: 10_000, interval: 20 });
const flagId = (name: string): string => bench.world.flag(bench.environment.envId, name).id;
const connects = (): number => running.source.status.upstream?.counters.connects ?? 0;

async function startInStep(config: Readonly<Record<string, unknown>> = {}): Promise<void> {
  running = await bench.start({ config });
  await agrees();
}

async function away(end: () => void): Promise<void> {
  bench.featbit.faults.upgrade = { status: 503 };
  end();
  await vi.waitFor(() => expect(bench.featbit.agentSockets).toBe(0));
}

function comeBack(): void {
  bench.featbit.faults.upgrade = undefined;
}

describe("after FeatBit misbehaved the copy is FeatBit's again", () => {
  it("duplicate patches change nothing twice", async () => {
    await startInStep({ full_sync_every: "1h" });
    bench.featbit.faults.duplicates = 3;
    const heard: number[] = [];
    running.store.onChange((changes) => heard.push(changes.length));
    bench.change();
    await agrees();
    await vi.waitFor(() => expect(heard).toHaveLength(8));
    expect(heard.filter((count) => count > 0)).toEqual([1]);
  });

  it("items out of order, and old ones again", async () => {
    await startInStep({ full_sync_every: "1h" });
    bench.featbit.hold();
    for (let i = 0; i < 5; i++) bench.change();
    for (let i = 1; i < 4; i++) bench.change(`flag-${i}`);
    bench.featbit.release("reversed");
    await agrees();
    bench.featbit.pushAgain(bench.environment.envId, "flag", flagId("flag-0"), 0);
    bench.change("flag-9");
    await agrees();
  });

  it("answers in another order", async () => {
    bench.featbit.faults.reversed = true;
    await startInStep();
  });

  it.each(spoilings)("an item that %s: the others are taken, and it is once it is whole", async (how) => {
    await startInStep({ full_sync_every: "1s" });
    bench.featbit.faults.spoilt.set(flagId("flag-1"), how);
    bench.change("flag-1");
    bench.change("flag-2");
    await vi.waitFor(() =>
      expect(bench.differences(running)).toEqual([expect.stringContaining(`flag ${flagId("flag-1")} is {`)]),
    );
    // Over full syncs too, the flag as it was stays.
    const { fullSyncs } = running.source.status.upstream?.counters ?? { fullSyncs: 0 };
    await vi.waitFor(
      () => expect(running.source.status.upstream?.counters.fullSyncs).toBeGreaterThan(fullSyncs + 1),
      5000,
    );
    expect(bench.differences(running)).toHaveLength(1);
    bench.featbit.faults.spoilt.clear();
    await agrees();
  });

  it.each(["featureFlags", "segments"] as const)("answers that lack %s wipe nothing", async (list) => {
    await startInStep();
    bench.featbit.faults.lacking = list;
    await vi.waitFor(() =>
      expect(running.source.status.upstream?.counters.dropped.invalid).toBeGreaterThan(0),
    );
    expect(bench.differences(running)).toEqual([]);
    expect(running.source.relayStatus().syncState).toBe("Interrupted");
    bench.change("flag-3");
    bench.featbit.faults.lacking = undefined;
    await agrees();
    await vi.waitFor(() => expect(running.source.relayStatus().syncState).toBe("Stable"), 5000);
  });

  it("half a message", async () => {
    await startInStep({ full_sync_every: "1h" });
    bench.featbit.faults.cuts = 1;
    bench.change();
    await agrees();
    expect(connects()).toBe(2);
  });

  it("half of the first full sync", async () => {
    bench.featbit.faults.cuts = 1;
    await startInStep({ full_sync_every: "1h" });
  });

  it("silence: the link is given up and made anew", async () => {
    await startInStep({ full_sync_every: "1h" });
    bench.featbit.faults.silent = true;
    bench.change();
    await vi.waitFor(
      () => expect(running.source.status.upstream?.failures).toMatchObject([{ code: "FEATBIT_SILENT" }]),
      5000,
    );
    expect(running.source.relayStatus().syncState).toBe("Interrupted");
    bench.featbit.faults.silent = false;
    await agrees();
    expect(running.source.status.upstream?.failures).toEqual([]);
  });

  it.each([1000, 1001, 1006, 1011, 1012])("close %i", async (code) => {
    await startInStep({ full_sync_every: "1h" });
    await away(() => bench.featbit.close(code));
    bench.change();
    comeBack();
    await agrees();
    expect(connects()).toBe(2);
  });

  it("close 1000 again and again, as a server does that is stopping", async () => {
    await startInStep({ full_sync_every: "1h" });
    bench.featbit.faults.upgrade = { close: 1000 };
    bench.featbit.close(1000);
    bench.change();
    await vi.waitFor(() => expect(bench.featbit.upgrades.length).toBeGreaterThan(4), 5000);
    bench.featbit.faults.upgrade = undefined;
    await agrees();
  });

  it("close 4003: tried slowly, told in status, and taken up again", async () => {
    await startInStep({ full_sync_every: "1h" });
    bench.world.removeRelayKey(bench.key);
    bench.featbit.close(4003, `no such key ${bench.key}`);
    await vi.waitFor(() =>
      expect(running.source.status.upstream?.failures).toMatchObject([
        { operation: "connect", code: "FEATBIT_REFUSED" },
      ]),
    );
    expect(JSON.stringify([running.source.status, running.entries])).not.toContain(bench.key);
    expect(running.store.state.environments.size).toBe(1);
    bench.world.addRelayKey([bench.environment.envId], bench.key);
    bench.change();
    await agrees();
  });

  it.each([
    [429, "FEATBIT_UNREACHABLE"],
    [503, "FEATBIT_UNREACHABLE"],
    [401, "FEATBIT_REFUSED"],
    [403, "FEATBIT_REFUSED"],
  ])("an upgrade that is answered with %i", async (status, code) => {
    await startInStep({ full_sync_every: "1h" });
    bench.featbit.faults.upgrade = { status };
    bench.featbit.close(1006);
    await vi.waitFor(() =>
      expect(running.source.status.upstream?.failures).toMatchObject([
        { code, message: expect.stringContaining(String(status)) },
      ]),
    );
    bench.change();
    bench.featbit.faults.upgrade = undefined;
    await agrees();
  });

  it("an upgrade that asks to wait is not repeated before", async () => {
    bench.featbit.faults.upgrade = { status: 429, retryAfter: "60" };
    running = await bench.start();
    await vi.waitFor(() =>
      expect(running.source.status.upstream?.failures).toMatchObject([
        { operation: "connect", retryInMs: 60_000 },
      ]),
    );
  });

  it.each(["hang", "reset"] as const)("an upgrade that ends in a %s", async (fault) => {
    bench.featbit.faults.upgrade = fault;
    running = await bench.start({ timing: { handshakeMs: 200 } });
    await vi.waitFor(() => expect(running.source.status.upstream?.failures).toHaveLength(1), 5000);
    bench.featbit.faults.upgrade = undefined;
    await agrees();
  });

  it("a full sync with an environment gone, and back", async () => {
    const { envId } = bench.world.addEnvironment({ envKey: "other" });
    bench.world.setScope(bench.key, [bench.environment.envId, envId]);
    await startInStep();
    bench.featbit.faults.omitted.add(envId);
    await vi.waitFor(() => expect([...running.store.state.environments.keys()]).not.toContain(envId), 5000);
    bench.featbit.faults.omitted.clear();
    await agrees();
  });

  it.each([
    ["no JSON", "{", "not_json"],
    ["no object", "7", "invalid"],
    ["no data", '{"messageType":"data-sync"}', "invalid"],
    [
      "a patch of text",
      '{"messageType":"data-sync","data":{"eventType":"patch","featureFlags":"x"}}',
      "invalid",
    ],
    ["an unknown event", '{"messageType":"data-sync","data":{"eventType":"rp_other"}}', "unknown_type"],
    ["an unknown message", '{"messageType":"other","data":{}}', "unknown_type"],
    ["bytes", new Uint8Array([0xff, 0xfe]), "not_json"],
  ] as const)("a message that is %s is dropped and counted; the socket stays", async (_, text, reason) => {
    await startInStep({ full_sync_every: "1h" });
    bench.featbit.send(text);
    await vi.waitFor(() => expect(running.source.status.upstream?.counters.dropped[reason]).toBe(1));
    bench.change();
    await agrees();
    expect(connects()).toBe(1);
    await vi.waitFor(() => expect(running.source.relayStatus().syncState).toBe("Stable"));
  });

  it("a flag that was deleted, of which nobody is told", async () => {
    await startInStep();
    bench.world.deleteFlag(bench.environment.envId, "flag-4");
    await agrees();
  });

  it("pushes before the first answer make no state that FeatBit never had", async () => {
    await startInStep({ full_sync_every: "1h" });
    const states: string[] = [];
    running.store.onChange(() => states.push(...bench.world.neverTrue(backupOf(running.store))));
    await away(() => bench.featbit.close(1006));
    bench.change("flag-5");
    bench.featbit.faults.delayMs = 100;
    comeBack();
    await vi.waitFor(() => expect(bench.featbit.agentSockets).toBe(1), 5000);
    bench.change("flag-6");
    await agrees();
    expect(states).toEqual([]);
  });

  it("a change that overtakes the answer with everything is not taken back", async () => {
    await startInStep({ full_sync_every: "1s" });
    bench.featbit.faults.delayMs = 300;
    bench.featbit.messages.length = 0;
    await vi.waitFor(
      () => expect(bench.featbit.messages.map(({ text }) => text)).toContain(fullRequest),
      5000,
    );
    const { fullSyncs } = running.source.status.upstream?.counters ?? { fullSyncs: 0 };
    bench.change("flag-7");
    const wrong: string[] = [];
    await vi.waitFor(() => expect(bench.differences(running)).toEqual([]));
    running.store.onChange(() => wrong.push(...bench.differences(running)));
    await vi.waitFor(
      () => expect(running.source.status.upstream?.counters.fullSyncs).toBe(fullSyncs + 1),
      5000,
    );
    expect([...wrong, ...bench.differences(running)]).toEqual([]);
  });
});

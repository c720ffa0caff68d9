import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { gunzipSync } from "node:zlib";
import { makeFlags } from "@posthouse/testkit/featbit/generate";
import { dumpDifferences } from "@posthouse/testkit/featbit/truth";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { flagSnapshotPath } from "../../src/replica/featbit/snapshot-file.ts";
import { Bench, backupOf, makeSource, type RunningSource } from "./harness.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.create();
});
afterEach(() => bench[Symbol.asyncDispose]());

const agrees = (running: RunningSource): Promise<void> =>
  vi.waitFor(() => expect(bench.differences(running)).toEqual([]), { timeout: 10_000, interval: 20 });
const never = { full_sync_every: "1h" };

describe("an agent in mode auto", () => {
  it("starts before FeatBit, with nothing, and takes it up", async () => {
    await bench.featbit.refuse();
    const running = await bench.start();
    expect(running.store.isPopulated).toBe(false);
    await vi.waitFor(() => expect(running.source.relayStatus().syncState).toBe("Interrupted"));
    expect(running.source.status.upstream?.failures.map(({ operation }) => operation).sort()).toEqual([
      "connect",
      "register",
    ]);
    await bench.featbit.comeBack();
    await agrees(running);
    await vi.waitFor(() => expect(running.source.status.upstream?.failures).toEqual([]));
    expect(running.store.isAuthoritative).toBe(true);
  });

  it("serves from disk while FeatBit is away, without being sure, then catches up", async () => {
    const first = await bench.start();
    await agrees(first);
    await first.source.stop(2000);
    await bench.featbit.refuse();
    const held = bench.world.dump(bench.key);
    bench.change();
    const second = await bench.start();
    expect(second.store).toMatchObject({ isPopulated: true, isAuthoritative: false, origin: "disk" });
    expect(bench.world.neverTrue(held)).toEqual([]);
    const [secret] = bench.environment.secrets;
    expect(second.store.findSecret(secret?.value ?? "")?.envKey).toBe(secret?.envKey);
    expect(second.source.relayStatus()).toMatchObject({ serves: "webapp:env-1", lastSyncedAt: null });
    await bench.featbit.comeBack();
    await agrees(second);
    expect(second.store).toMatchObject({ isAuthoritative: true, origin: "upstream" });
  });

  it("asks for what is newer after a break, and for everything soon after", async () => {
    const running = await bench.start({ config: never });
    await agrees(running);
    const { mark } = [...running.store.state.environments.values()][0] ?? {};
    bench.featbit.messages.length = 0;
    bench.featbit.close(1006);
    await vi.waitFor(() => expect(running.source.status.upstream?.counters.fullSyncs).toBe(2), 5000);
    const asked = bench.featbit.messages
      .map(({ text }) => JSON.parse(text))
      .filter(({ messageType }) => messageType === "data-sync");
    expect(asked.map(({ data }) => data)).toEqual([
      {
        timestamp: running.store.state.dataVersion,
        envs: [{ envId: bench.environment.envId, timestamp: mark }],
      },
      { timestamp: 0 },
    ]);
  });

  it("takes the place of another source on the same store, whose data was another FeatBit's", async () => {
    const other = await Bench.create();
    try {
      const first = await other.start();
      await vi.waitFor(() => expect(first.store.isAuthoritative).toBe(true));
      await first.source.stop(2000);
      const second = await bench.start({ store: first.store, config: never });
      await agrees({ ...second, store: first.store });
      const path = flagSnapshotPath(bench.directory, bench.featbit.streamingUrl);
      await vi.waitFor(
        async () => expect(gunzipSync(await readFile(path)).toString()).toContain(bench.environment.envId),
        10_000,
      );
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it("learns secrets and environments, whose changes then reach it at once", async () => {
    const running = await bench.start();
    await agrees(running);
    const added = bench.world.addSecret(bench.environment.envId, "client");
    const { envId } = bench.world.addEnvironment({
      envKey: "new",
      flags: [bench.world.flag(bench.environment.envId, "flag-0")],
    });
    bench.world.setScope(bench.key, [bench.environment.envId, envId]);
    await agrees(running);
    expect(running.store.findSecret(added.value)?.type).toBe("client");
    await vi.waitFor(() => expect(running.source.status.upstream?.counters.connects).toBe(2), 5000);
    bench.world.removeSecret(added.value);
    await agrees(running);
    expect(running.store.findSecret(added.value)).toBeUndefined();
    const { pushes } = running.source.status.upstream?.counters ?? { pushes: 0 };
    bench.world.patchFlag(envId, "flag-0", { isEnabled: false });
    await vi.waitFor(() => expect(running.source.status.upstream?.counters.pushes).toBe(pushes + 1));
    await agrees(running);
  });

  it("stops while changes keep coming", async () => {
    const changing = setInterval(() => bench.change(), 1);
    try {
      for (let round = 0; round < 20; round++) {
        const running = await bench.start({ directory: `${bench.directory}/${round}` });
        await vi.waitFor(() => expect(running.store.isPopulated).toBe(true), { timeout: 5000, interval: 5 });
        await running.source.stop(2000);
        expect(running.source.status.upstream?.connected).toBe(false);
      }
    } finally {
      clearInterval(changing);
    }
  });

  it("with 300 environments never sends what FeatBit would ignore", async () => {
    for (let i = 0; i < 299; i++) bench.world.addEnvironment({ envKey: `other-${i}` });
    const key = bench.world.addRelayKey();
    const running = await bench.start({ config: { ...never, api_key: key } });
    await vi.waitFor(() => expect(running.store.state.environments.size).toBe(300), 10_000);
    bench.featbit.close(1006);
    bench.change();
    await vi.waitFor(
      () =>
        expect(running.store.state.dataVersion).toBe(
          Date.parse(bench.world.flag(bench.environment.envId, "flag-0").updatedAt),
        ),
      10_000,
    );
    expect(bench.featbit.messages.filter(({ bytes, isDropped }) => isDropped || bytes > 8192)).toEqual([]);
    expect(running.source.relayStatus().serves.split(",")).toHaveLength(300);
  });

  it("takes what is too large for the serving thread, whole or as what is newer", async () => {
    const { featureFlags, segments } = makeFlags(300, { seed: 2 });
    const { envId } = bench.world.addEnvironment({ envKey: "large", flags: featureFlags, segments });
    const key = bench.world.addRelayKey([envId]);
    const differences = () => dumpDifferences(bench.world.dump(key), backupOf(running.store));
    const running = await bench.start({ config: { ...never, api_key: key } });
    await vi.waitFor(() => expect(differences()).toEqual([]), 10_000);
    bench.featbit.faults.upgrade = { status: 503 };
    bench.featbit.close(1006);
    await vi.waitFor(() => expect(bench.featbit.agentSockets).toBe(0));
    for (const { key: name } of featureFlags) bench.world.patchFlag(envId, name, { isEnabled: false });
    bench.featbit.faults.upgrade = undefined;
    await vi.waitFor(() => expect(differences()).toEqual([]), 10_000);
    expect(running.source.status.upstream?.counters.dropped.large).toBe(1);
    bench.featbit.send(`{"messageType":"data-sync","data":"${"x".repeat(300_000)}`);
    await vi.waitFor(() => expect(running.source.status.upstream?.counters.dropped.invalid).toBe(1), 5000);
    bench.world.patchFlag(envId, "flag-0", { isEnabled: true });
    await vi.waitFor(() => expect(differences()).toEqual([]), 10_000);
  });

  it("refuses messages above its limit, says so, and goes on with what it has", async () => {
    const running = await bench.start({ config: { message_size: "1KiB" } });
    await vi.waitFor(() =>
      expect(running.source.status.upstream?.failures).toMatchObject([
        { code: "FEATBIT_CLOSED", message: expect.stringContaining("WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") },
      ]),
    );
    expect(running.store.isPopulated).toBe(false);
  });

  it("goes on when its registration is refused, and registers when it may", async () => {
    bench.featbit.quota = 0;
    const running = await bench.start();
    await agrees(running);
    expect(running.source.status.upstream?.failures).toMatchObject([
      { operation: "register", code: "FEATBIT_REFUSED", message: expect.stringContaining("403") },
    ]);
    bench.featbit.quota = 1;
    await vi.waitFor(() => expect(running.source.status.upstream?.agentId).toBe("agent-1"), 5000);
    expect(running.source.status.upstream?.failures).toEqual([]);
    await vi.waitFor(() => expect(bench.featbit.agents.get("agent-1")?.status).not.toBe("{}"));
  });

  it("reports its status under the id that FeatBit gave it", async () => {
    const running = await bench.start({ config: { agent_id: "edge-7" }, timing: { statusMs: 300 } });
    await agrees(running);
    await vi.waitFor(() => expect(bench.featbit.agents.get("edge-7")?.status).toContain("Stable"), 5000);
    expect(JSON.parse(bench.featbit.agents.get("edge-7")?.status ?? "")).toEqual({
      serves: "webapp:env-1",
      dataVersion: running.store.state.dataVersion,
      syncState: "Stable",
      lastSyncedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      reportedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(bench.featbit.registrations).toEqual([{ status: 200, body: '"edge-7"' }]);
    expect(bench.featbit.upgrades).toEqual([`/streaming?type=relay-proxy&token=${bench.key}`]);
    const { reportedAt } = JSON.parse(bench.featbit.agents.get("edge-7")?.status ?? "");
    await vi.waitFor(
      () => expect(bench.featbit.agents.get("edge-7")?.status).not.toContain(reportedAt),
      5000,
    );
    await running.source.stop(2000);
    expect(running.source.relayStatus().syncState).toBe("Stopped");
  });

  it.each([{ status: 500 }, { reset: true }, { status: 401 }, { hang: true }])(
    "is in step though registration ends in %o",
    async (fault) => {
      bench.featbit.faults.register = fault;
      const running = await bench.start();
      await agrees(running);
    },
  );

  it("gives up a FeatBit that takes connections and never answers", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    const { port } = silent.address() as { port: number };
    const running = await bench.start({
      config: { streaming_uri: `ws://127.0.0.1:${port}` },
      timing: { handshakeMs: 150 },
    });
    await vi.waitFor(() =>
      expect(running.source.status.upstream?.failures).toMatchObject([
        { operation: "connect", code: "FEATBIT_UNREACHABLE" },
      ]),
    );
    await running.source.stop(2000);
    silent.close();
  });

  it("tells no secret in its log and its status", async () => {
    bench.featbit.faults.upgrade = { status: 401 };
    const running = await bench.start();
    await vi.waitFor(() => expect(running.source.status.upstream?.failures).toHaveLength(1));
    bench.featbit.faults.upgrade = undefined;
    await agrees(running);
    bench.featbit.send(`{"messageType":"data-sync","data":{"secret":"${bench.environment.secrets[0]?.value}`);
    await vi.waitFor(() => expect(running.source.status.upstream?.counters.dropped.not_json).toBe(1));
    expect(running.entries).toContainEqual(
      expect.objectContaining({
        error: expect.objectContaining({ code: "FEATBIT_MESSAGE_UNUSABLE" }),
      }),
    );
    const told = JSON.stringify([running.entries, running.source.status]);
    for (const value of [bench.key, ...bench.environment.secrets.map((secret) => secret.value)])
      expect(told).not.toContain(value);
  });
});

describeLifecycle({
  name: "the flag source, mode auto",
  async create() {
    const own = await Bench.create();
    const { source } = makeSource({
      directory: own.directory,
      config: { streaming_uri: own.featbit.streamingUrl, api_key: own.key },
    });
    return { part: source, cleanUp: () => own[Symbol.asyncDispose]() };
  },
});

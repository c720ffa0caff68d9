/** `bench -- flags-storm` with 300 sockets: everybody gets everything; how fast is the bench's to say. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFakeFeatbit } from "@posthouse/testkit/featbit/fake";
import { makeFlags } from "@posthouse/testkit/featbit/generate";
import { startSwarm } from "@posthouse/testkit/featbit/swarm";
import { timestampOf } from "@posthouse/testkit/featbit/world";
import { startFlagsAgent } from "@posthouse/testkit/flags-agent";
import { expect, test } from "vitest";

const [clients, servers, flagCount, deaf] = [210, 90, 40, 10];
const all = clients + servers;
const deadlineMs = 30_000;

test("300 SDKs: changes, a storm of reconnects, and some that never read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-storm-"));
  try {
    await using featbit = await createFakeFeatbit();
    const { world } = featbit;
    const made = makeFlags(flagCount);
    const environment = world.addEnvironment({ flags: made.featureFlags, segments: made.segments });
    const { envId } = environment;
    await using agent = await startFlagsAgent({
      folder,
      flags: {
        streaming_uri: featbit.streamingUrl,
        api_key: world.addRelayKey(),
        sessions: { silence: "4s" },
      },
    });
    await using swarm = await startSwarm();
    for (const [kind, count] of [
      ["client", clients],
      ["server", servers],
    ] as const) {
      const secret = environment.secrets.find(({ type }) => type === kind)?.value ?? "";
      await swarm.connect({
        kind,
        count,
        secret,
        flags: flagCount,
        url: agent.streamingUrl,
        comesBack: true,
      });
    }
    expect(await swarm.awaitSynced(deadlineMs)).toMatchObject({ count: all, missing: 0 });

    const flag = world.patchFlag(envId, "flag-3", { isEnabled: false });
    expect(await swarm.awaitVersion(timestampOf(flag), deadlineMs)).toMatchObject({ count: all, missing: 0 });
    const [segment] = environment.segments.values();
    const told = world.patchSegment(envId, segment?.id ?? "", { included: ["user-1"] });
    expect(await swarm.awaitVersion(timestampOf(told), deadlineMs)).toMatchObject({ count: all, missing: 0 });

    await swarm.reconnect("zero");
    expect(await swarm.awaitSynced(deadlineMs)).toMatchObject({ count: all, missing: 0 });
    await swarm.freeze(deaf);
    const last = world.patchFlag(envId, "flag-4", { isEnabled: false });
    expect(await swarm.awaitVersion(timestampOf(last), deadlineMs)).toMatchObject({
      count: all - deaf,
      missing: 0,
    });
    const silent = `posthouse_flags_sessions_dropped_total{environment="webapp:env-1",kind="client",reason="silent"}`;
    await expect.poll(() => agent.metric(silent), { timeout: deadlineMs }).toBe(deaf);
    const report = await swarm.report();
    expect(report).toMatchObject({ wrong: 0, wrongSamples: [], missingPongs: 0, closes: {} });
    expect(report.open - deaf).toBe(all - deaf);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);

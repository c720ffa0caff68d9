/** The Sync button of FeatBit's portal. */
import { writeJson } from "./dotnet-json.ts";
import type { FeatbitWorld } from "./world.ts";

export interface SyncOutcome {
  /** What `/health/liveness` answered; 503 when nothing did. */
  readonly availability: number;
  /** What bootstrap answered; undefined when nothing did. */
  readonly status: number | undefined;
  readonly serves: string | undefined;
  readonly dataVersion: number | undefined;
}

const availabilityMs = 10_000;
const syncMs = 100_000;

/** Asks whether a manual agent lives, then gives it everything its key may see. Never throws. */
export async function pressSync(world: FeatbitWorld, agentUrl: string, key: string): Promise<SyncOutcome> {
  const availability = await fetch(`${agentUrl}/health/liveness`, {
    signal: AbortSignal.timeout(availabilityMs),
  })
    .then(async (response) => {
      await response.body?.cancel();
      return response.status;
    })
    .catch(() => 503);
  const nothing = { status: undefined, serves: undefined, dataVersion: undefined };
  try {
    const response = await fetch(`${agentUrl}/api/public/proxy/bootstrap`, {
      method: "POST",
      headers: { authorization: key, "content-type": "application/json; charset=utf-8" },
      body: writeJson(manualDump(world, key)),
      signal: AbortSignal.timeout(syncMs),
    });
    const text = await response.text();
    const { serves, dataVersion } = (response.ok ? JSON.parse(text) : {}) as Partial<SyncOutcome>;
    return { availability, status: response.status, serves, dataVersion };
  } catch {
    return { availability, ...nothing };
  }
}

/** The portal sends four fields more with each segment than the evaluation server does. */
function manualDump(world: FeatbitWorld, key: string): unknown {
  const { eventType, items } = world.dump(key);
  const more = {
    workspaceId: "00000000-0000-0000-0000-000000000001",
    type: "environment-specific",
    scopes: [],
    isEnvironmentSpecific: true,
  };
  return {
    eventType,
    items: items.map((item) => ({
      ...item,
      segments: item.segments.map((segment) => ({ ...segment, ...more })),
    })),
  };
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { afterAll } from "vitest";
import { flagsSchema } from "../../../src/config/flags.ts";
import { createMetrics } from "../../../src/core/metrics.ts";
import { createInsights } from "../../../src/flags/insights/insights.ts";
import { createInsightMetrics } from "../../../src/flags/insights/metrics.ts";
import { createFlagStore } from "../../../src/replica/featbit/flag-store.ts";
import { collectLog } from "../../harness.ts";

const folder = await mkdtemp(join(tmpdir(), "posthouse-insights-"));
const metrics = createInsightMetrics(createMetrics());
afterAll(() => rm(folder, { recursive: true, force: true }));

for (const insights of [{ event_uri: "http://127.0.0.1:1" }, { mode: "keep" }, {}]) {
  describeLifecycle({
    name: `insights ${JSON.stringify(insights)}`,
    create() {
      const { log } = collectLog();
      const config = flagsSchema.parse({ mode: "manual", api_key: "rp-x", insights });
      return {
        part: createInsights(config.insights, {
          spools: folder,
          store: createFlagStore({ log }),
          metrics,
          log,
        }),
      };
    },
  });
}

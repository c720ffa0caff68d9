import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { flagsSchema } from "../../src/config/flags.ts";
import { createMetrics } from "../../src/core/metrics.ts";
import { createFlagsListener } from "../../src/flags/listener.ts";
import { createFlagMetrics } from "../../src/flags/metrics.ts";
import { createFlagStore } from "../../src/replica/featbit/flag-store.ts";
import { collectLog } from "../harness.ts";

const metrics = createFlagMetrics(createMetrics());
const config = flagsSchema.parse({ mode: "manual", api_key: "rp-this-agent" });

describeLifecycle({
  name: "the flags listener",
  create() {
    const { log } = collectLog();
    return { part: createFlagsListener(config, { store: createFlagStore({ log }), metrics, log }) };
  },
});

import { defineConfig, type ViteUserConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Those that take longest: begun last, they would be waited for with nothing beside them. */
const first = [
  "apps/agent/test/events/amqp-outages.test.ts",
  "test/packed-packages.test.ts",
  "test/events-delivery.test.ts",
  "apps/manager/test/kill.test.ts",
  "bench/test/events.test.ts",
  "test/events-celery.test.ts",
  "apps/posthouse/test/bad-configuration.test.ts",
  "test/outages.test.ts",
  "apps/agent/test/proxy/faults.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = first.findIndex((name) => moduleId.endsWith(`/${name}`));
      return at === -1 ? first.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

const config: ViteUserConfig = defineConfig({
  resolve: { conditions: ["posthouse-source", "node"] },
  ssr: { resolve: { conditions: ["posthouse-source", "node"] } },
  test: {
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    pool: "forks",
    maxWorkers: 3,
    maxConcurrency: 8,
    setupFiles: ["testkit/src/patient-waits.ts"],
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    execArgv: ["--conditions=posthouse-source"],
    sequence: { sequencer: LongestFirst },
  },
});
export default config;

import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  resolve: { conditions: ["posthouse-source", "node"] },
  ssr: { resolve: { conditions: ["posthouse-source", "node"] } },
  test: {
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    pool: "forks",
    maxWorkers: 3,
    maxConcurrency: 8,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    execArgv: ["--conditions=posthouse-source"],
  },
});
export default config;

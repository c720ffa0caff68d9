import { dirname, resolve } from "node:path";
import { loadConfig } from "@posthouse/service";
import { type AgentConfig, agentConfigSchema } from "./schema.ts";

/** Reads a configuration file; a relative `state` is taken from the file's folder. Throws CONFIG_… errors. */
export async function loadAgentConfig(
  path: string,
  options: { env?: NodeJS.ProcessEnv } = {},
): Promise<AgentConfig> {
  const config = await loadConfig(path, agentConfigSchema, options);
  return { ...config, state: resolve(dirname(path), config.state) };
}

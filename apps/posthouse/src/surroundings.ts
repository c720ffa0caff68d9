/** `posthouse agent` without a file: what the variables of the agents that it replaces ask for, of one or of both. */
import { type AgentConfig, doubtfulLeekVariables, readEnvironmentConfig } from "@posthouse/agent";
import { readFeatbitDropIn } from "./featbit-drop-in.ts";

export interface Surroundings {
  readonly config: AgentConfig;
  /** What is different from what was replaced, and what is perhaps not as it was meant. */
  readonly warnings: readonly string[];
}

/**
 * FeatBit Agent's settings give the flags, Leek's the events and the admin address. Undefined: there are neither. Throws
 * CONFIG_…, CONVERT_… and FILE_UNREADABLE.
 */
export async function readSurroundings(
  env: NodeJS.ProcessEnv,
  folder: string,
): Promise<Surroundings | undefined> {
  const featbit = await readFeatbitDropIn(env, folder);
  const leek = readEnvironmentConfig(env);
  const doubts = doubtfulLeekVariables(env);
  if (featbit === undefined) return leek && { config: leek, warnings: doubts };
  const { config } = featbit;
  const warnings = [...featbit.warnings, ...doubts];
  if (leek === undefined) return { config, warnings };
  const log = env.LEEK_AGENT_LOG_LEVEL ? leek.log : config.log;
  return { config: { ...config, admin: leek.admin, log, events: leek.events }, warnings };
}

/** `posthouse agent` in the place of FeatBit Agent: the same environment variables and `appsettings.json`, and no file. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type AgentConfig, agentConfigSchema } from "@posthouse/agent";
import { parseConfig } from "@posthouse/service";
import { areFeatbitSettings, convertFeatbit } from "./convert/featbit.ts";
import { type FeatbitSettings, settingsOfEnvironment, settingsOfFile } from "./convert/featbit-settings.ts";
import { commandErrors } from "./errors.ts";
import { reasonOf } from "./manager-api.ts";

export interface FeatbitDropIn {
  readonly config: AgentConfig;
  /** What is different from FeatBit Agent. */
  readonly warnings: readonly string[];
}

/**
 * What FeatBit Agent would read in this folder and environment; undefined when nothing there is for it. Copies are kept
 * in POSTHOUSE_STATE, by default `state` in the folder. Throws CONVERT_SYNTAX, CONVERT_INVALID, FILE_UNREADABLE.
 */
export async function readFeatbitDropIn(
  env: NodeJS.ProcessEnv,
  folder: string,
): Promise<FeatbitDropIn | undefined> {
  const environment = settingsOfEnvironment(env);
  const stage = env.ASPNETCORE_ENVIRONMENT || env.DOTNET_ENVIRONMENT || "Production";
  const settings: FeatbitSettings = new Map([
    ...(await readSettings(folder, "appsettings.json")),
    ...(await readSettings(folder, `appsettings.${stage}.json`)),
    ...environment,
  ]);
  if (!areFeatbitSettings(settings)) return undefined;
  const state = resolve(folder, env.POSTHOUSE_STATE || "state");
  const { yaml, warnings } = convertFeatbit(settings, { source: "environment", state });
  return { config: parseConfig(yaml, "environment", agentConfigSchema, {}), warnings };
}

async function readSettings(folder: string, file: string): Promise<FeatbitSettings> {
  try {
    return settingsOfFile(await readFile(join(folder, file), "utf8"), file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return new Map();
    if (code === undefined || code.startsWith("CONVERT_")) throw cause;
    throw commandErrors.create("FILE_UNREADABLE", { file, reason: reasonOf(cause) }, { cause });
  }
}

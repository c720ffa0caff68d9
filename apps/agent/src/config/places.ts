import { isPosthouseError, PosthouseError } from "@posthouse/protocol";
import { type ConfigLocator, formatPath } from "@posthouse/service";
import type { AgentConfig } from "./schema.ts";

const locators = new WeakMap<AgentConfig, ConfigLocator>();

export function rememberPlaces(config: AgentConfig, locate: ConfigLocator): void {
  locators.set(config, locate);
}

/** Tells where a value stands: with file, line and column when the configuration was read from a file. */
export function placesOf(config: AgentConfig): ConfigLocator {
  return locators.get(config) ?? formatPath;
}

/** Runs something that a value of the configuration asks for; what it throws then names that value's place. */
export async function atPlace<T>(place: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!isPosthouseError(error)) throw error;
    const { code, message, hint, cause } = error;
    throw new PosthouseError(code, `${place}: ${message}`, { hint, cause });
  }
}

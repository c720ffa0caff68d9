export {
  type ConfigLocator,
  formatPath,
  type LoadConfigOptions,
  type LocatedConfig,
  loadConfig,
  loadLocatedConfig,
  parseConfig,
  parseJsonConfig,
} from "./config.ts";
export { configJsonSchema, describeConfig } from "./describe.ts";
export { serviceErrors } from "./errors.ts";
export { boundHeapGrowth, releaseStartMemory } from "./heap.ts";
export { type Part, type StartOptions, startParts, stopParts } from "./lifecycle.ts";
export { closeServer, listenOn } from "./listen.ts";
export {
  type ChangeableLog,
  createLog,
  describeError,
  type Log,
  type LogFields,
  type LogLevel,
  type LogOptions,
} from "./log.ts";
export type { LogDestination } from "./log-destination.ts";
export { isShown, Secret, shownMessage } from "./secret.ts";
export { type RunOptions, runUntilSignal } from "./signals.ts";
export { suggest, suggestionText } from "./suggestion.ts";
export {
  durationSchema,
  formatListen,
  type ListenAddress,
  listenOrPathSchema,
  listenSchema,
  secretSchema,
  sizeSchema,
} from "./values.ts";

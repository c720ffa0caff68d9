export { type Agent, type AgentOptions, createAgent } from "./agent.ts";
export { readEnvironmentConfig } from "./config/environment.ts";
export { doubtfulLeekVariables } from "./config/leek-environment.ts";
export { loadAgentConfig } from "./config/load.ts";
export type { ManagerSourceConfig, ProjectConfig } from "./config/project.ts";
export {
  type AdminConfig,
  type AgentConfig,
  agentConfigSchema,
  type SiteConfig,
} from "./config/schema.ts";
export { type WatchOptions, watchConfig } from "./config/watch.ts";
export { checkConfigFiles } from "./config-files.ts";
export { agentErrors } from "./core/errors.ts";
export { fileFingerprint } from "./core/file-watch.ts";
export { createHostTable, type HostEntry, type HostTable } from "./http/sites.ts";
export { ruleOptions } from "./replica/replica.ts";
export { snapshotPath } from "./replica/state-directory.ts";

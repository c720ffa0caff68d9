export { type Agent, type AgentOptions, createAgent } from "./agent.ts";
export { loadAgentConfig } from "./config/load.ts";
export {
  type AdminConfig,
  type AgentConfig,
  agentConfigSchema,
  type ManagerSourceConfig,
  type ProjectConfig,
  type SiteConfig,
} from "./config/schema.ts";
export { type WatchOptions, watchConfig } from "./config/watch.ts";
export { agentErrors } from "./core/errors.ts";
export { createHostTable, type HostEntry, type HostTable } from "./http/sites.ts";
export { ruleOptions } from "./replica/replica.ts";
export { snapshotPath } from "./replica/state-directory.ts";

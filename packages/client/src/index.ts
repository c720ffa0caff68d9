export { type Backoff, type BackoffOptions, createBackoff } from "./backoff.ts";
export { type Client, createClient } from "./client.ts";
export type {
  ClientEvent,
  ClientFailure,
  ClientOperation,
  ClientOptions,
  ClientStatus,
  ClientTimeouts,
  LoadedHow,
  ManagerOptions,
  SnapshotStore,
} from "./client-options.ts";
export { errors } from "./errors.ts";
export type { TimeoutOptions } from "./http.ts";
export { fetchRules, type LoadedRules, type LoadOnceOptions, readStoredRules } from "./load-once.ts";

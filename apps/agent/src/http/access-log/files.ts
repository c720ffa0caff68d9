import type { Log } from "@posthouse/service";
import type { AgentConfig } from "../../config/schema.ts";
import { type AccessLogCounters, type AccessLogFile, createAccessLogFile } from "./file.ts";

export interface AccessLogContext {
  readonly log: Log;
  readonly accessLogCounters: (file: string) => AccessLogCounters;
}

/** The access logs of a configuration by path: sites may share one. Those that stay are taken over. */
export function createAccessLogFiles(
  { sites }: AgentConfig,
  { log, accessLogCounters }: AccessLogContext,
  old: ReadonlyMap<string, AccessLogFile> | undefined,
): ReadonlyMap<string, AccessLogFile> {
  const files = new Map<string, AccessLogFile>();
  for (const { access_log } of sites) {
    if (access_log === undefined || files.has(access_log.path)) continue;
    const { path } = access_log;
    const made = (): AccessLogFile => createAccessLogFile({ path, counters: accessLogCounters(path), log });
    files.set(path, old?.get(path) ?? made());
  }
  return files;
}

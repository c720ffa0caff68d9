import type { Log } from "@posthouse/service";
import { placesOf } from "../../config/places.ts";
import type { AgentConfig } from "../../config/schema.ts";
import { type AccessLogCounters, type AccessLogFile, createAccessLogFile } from "./file.ts";

export interface AccessLogContext {
  readonly log: Log;
  readonly accessLogCounters: (file: string) => AccessLogCounters;
}

/** The access logs of a configuration by path: sites may share one. Those that stay are taken over. */
export function createAccessLogFiles(
  config: AgentConfig,
  { log, accessLogCounters }: AccessLogContext,
  old: ReadonlyMap<string, AccessLogFile> | undefined,
): ReadonlyMap<string, AccessLogFile> {
  const files = new Map<string, AccessLogFile>();
  const at = placesOf(config);
  for (const [index, { access_log }] of config.sites.entries()) {
    if (access_log === undefined || files.has(access_log.path)) continue;
    const { path } = access_log;
    const place = at(["sites", index, "access_log", "path"]);
    const made = (): AccessLogFile =>
      createAccessLogFile({ path, place, counters: accessLogCounters(path), log });
    files.set(path, old?.get(path) ?? made());
  }
  return files;
}

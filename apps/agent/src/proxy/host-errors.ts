import type { AgentConfig, HostConfig } from "../config/schema.ts";
import { createErrorAnswers, type ErrorAnswers, loadErrorPages } from "./error-answers.ts";

/** The error answers of every host, with the pages as they are on disk now. Throws FILE_NOT_READABLE. */
export async function createHostErrors({
  sites,
}: AgentConfig): Promise<ReadonlyMap<HostConfig, ErrorAnswers>> {
  const errors = new Map<HostConfig, ErrorAnswers>();
  for (const { hosts, compat } of sites)
    for (const host of hosts)
      errors.set(host, createErrorAnswers({ pages: await loadErrorPages(host.error_pages), compat }));
  return errors;
}

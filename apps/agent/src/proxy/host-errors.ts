import { atPlace, placesOf } from "../config/places.ts";
import { type AgentConfig, type HostConfig, hostsOf } from "../config/schema.ts";
import { createErrorAnswers, type ErrorAnswers, type ErrorPage, loadErrorPage } from "./error-answers.ts";

/** The error answers of every host, with the pages as they are on disk now. Throws FILE_NOT_READABLE. */
export async function createHostErrors(config: AgentConfig): Promise<ReadonlyMap<HostConfig, ErrorAnswers>> {
  const at = placesOf(config);
  const errors = new Map<HostConfig, ErrorAnswers>();
  for (const { site, host, path } of hostsOf(config)) {
    const pages = new Map<number, ErrorPage>();
    for (const [status, file] of Object.entries(host.error_pages))
      pages.set(
        Number(status),
        await atPlace(at([...path, "error_pages", status]), () => loadErrorPage(file)),
      );
    errors.set(host, createErrorAnswers({ pages, compat: site.compat }));
  }
  return errors;
}

import { dirname, resolve } from "node:path";
import { loadLocatedConfig } from "@posthouse/service";
import type { EventsConfig } from "./events.ts";
import type { FlagsConfig } from "./flags.ts";
import { resolveListener } from "./listener.ts";
import { rememberPlaces } from "./places.ts";
import type { ProjectConfig } from "./project.ts";
import { type AgentConfig, agentConfigSchema, type SiteConfig } from "./schema.ts";
import { nameOfRaw } from "./subscription.ts";

/** Reads a configuration file; relative paths in it are taken from the file's folder. Throws CONFIG_… errors. */
export async function loadAgentConfig(
  path: string,
  options: { env?: NodeJS.ProcessEnv } = {},
): Promise<AgentConfig> {
  const { config, locate } = await loadLocatedConfig(path, agentConfigSchema, {
    ...options,
    label: subscriptionLabel,
  });
  const from = (relative: string): string => resolve(dirname(path), relative);
  const projects = Object.entries(config.projects).map(([name, project]): [string, ProjectConfig] => [
    name,
    project.file === undefined ? project : { ...project, file: from(project.file) },
  ]);
  const sites = config.sites.map((site) => locateSiteFiles(resolveListener(site, from), from));
  const flags = config.flags && locateFlagFile(resolveListener(config.flags, from), from);
  const events = config.events && locateEventFiles(config.events, from);
  const resolved = {
    ...config,
    state: from(config.state),
    projects: Object.fromEntries(projects),
    sites,
    flags,
    events,
  };
  rememberPlaces(resolved, locate);
  return resolved;
}

function locateSiteFiles(site: SiteConfig, from: (relative: string) => string): SiteConfig {
  const { access_log: log } = site;
  return {
    ...site,
    access_log: log && { ...log, path: log.path === "stdout" ? log.path : from(log.path) },
    hosts: site.hosts.map((host) => ({
      ...host,
      forward: host.forward && {
        ...host.forward,
        tls: { ...host.forward.tls, ca: host.forward.tls.ca && from(host.forward.tls.ca) },
      },
      error_pages: Object.fromEntries(
        Object.entries(host.error_pages).map(([status, file]) => [status, from(file)]),
      ),
    })),
  };
}

function locateFlagFile(flags: FlagsConfig, from: (relative: string) => string): FlagsConfig {
  return flags.file === undefined ? flags : { ...flags, file: from(flags.file) };
}

function locateEventFiles(events: EventsConfig, from: (relative: string) => string): EventsConfig {
  const { subscriptions_file: file } = events;
  return { ...events, subscriptions_file: file && from(file) };
}

function subscriptionLabel([job, list, index]: readonly PropertyKey[], value: unknown): string | undefined {
  if (job !== "events" || list !== "subscriptions" || typeof index !== "number") return undefined;
  const { events } = value as { events: { subscriptions: readonly unknown[] } };
  const name = nameOfRaw(events.subscriptions[index]);
  return name && `subscription ${name}`;
}

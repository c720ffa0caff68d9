import { dirname, resolve } from "node:path";
import { loadConfig } from "@posthouse/service";
import { resolveListener } from "./listener.ts";
import { type AgentConfig, agentConfigSchema, type ProjectConfig, type SiteConfig } from "./schema.ts";

/** Reads a configuration file; relative paths in it are taken from the file's folder. Throws CONFIG_… errors. */
export async function loadAgentConfig(
  path: string,
  options: { env?: NodeJS.ProcessEnv } = {},
): Promise<AgentConfig> {
  const config = await loadConfig(path, agentConfigSchema, options);
  const from = (relative: string): string => resolve(dirname(path), relative);
  const projects = Object.entries(config.projects).map(([name, project]): [string, ProjectConfig] => [
    name,
    project.file === undefined ? project : { ...project, file: from(project.file) },
  ]);
  const sites = config.sites.map((site) => locateSiteFiles(resolveListener(site, from), from));
  return { ...config, state: from(config.state), projects: Object.fromEntries(projects), sites };
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

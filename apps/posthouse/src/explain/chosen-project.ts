import { type AgentConfig, createHostTable, type SiteConfig } from "@posthouse/agent";
import { formatListen, suggestionText } from "@posthouse/service";
import { commandErrors } from "../errors.ts";

export interface ChosenProject {
  /** Undefined when it was asked for by name. */
  readonly listen: string | undefined;
  /** Undefined when no site of the configuration takes the host. */
  readonly name: string | undefined;
}

/**
 * The project that a configuration has for a host. A site on the host's port is asked first, then the others in their
 * order. `name` chooses one whatever the host. Throws PROJECT_UNKNOWN.
 */
export function chooseProject(
  config: AgentConfig,
  { host, name, file }: { readonly host: string; readonly name: string | undefined; readonly file: string },
): ChosenProject {
  if (name !== undefined) {
    const known = Object.keys(config.projects);
    if (known.includes(name)) return { listen: undefined, name };
    throw commandErrors.create("PROJECT_UNKNOWN", {
      name,
      file,
      suggestion: suggestionText(name, known),
      known: known.join(", ") || "none",
    });
  }
  const [, port] = /:(\d+)$/.exec(host) ?? [];
  const isNear = ({ listen }: SiteConfig): boolean => String(listen.port) === port;
  const sites = [...config.sites.filter(isNear), ...config.sites.filter((site) => !isNear(site))];
  for (const site of sites) {
    const entries = site.hosts.map(({ match, project }) => ({ match, value: project }));
    const project = createHostTable(entries, site).find(host);
    if (project !== undefined) return { listen: formatListen(site.listen), name: project };
  }
  return { listen: undefined, name: undefined };
}

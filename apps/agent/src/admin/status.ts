import type { ClientStatus } from "@posthouse/client";
import { formatListen } from "@posthouse/service";
import type { AgentConfig } from "../config/schema.ts";

export interface StatusOptions {
  readonly config: AgentConfig;
  readonly startedAt: Date;
  readonly loadedAt: Date;
  readonly projects: readonly { readonly project: string; readonly status: ClientStatus }[];
}

/** What `/status` shows: what is served, from where, since when, and what went wrong last. Holds no secrets. */
export function describeStatus({ config, startedAt, loadedAt, projects }: StatusOptions): unknown {
  return {
    name: config.name,
    startedAt,
    configurationLoadedAt: loadedAt,
    projects: Object.fromEntries(
      projects.map(({ project, status }) => {
        const { checkedAt } = status;
        const ageSeconds = checkedAt && Math.round((Date.now() - checkedAt.getTime()) / 1000);
        const { url, namespace, project: code } = config.projects[project]?.manager ?? {};
        return [project, { manager: { url, namespace, project: code }, ...status, ageSeconds }];
      }),
    ),
    sites: config.sites.map(({ listen, hosts }) => ({ listen: formatListen(listen), hosts })),
  };
}

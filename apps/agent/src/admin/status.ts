import { formatListen } from "@posthouse/service";
import type { AgentConfig, ProjectConfig } from "../config/schema.ts";
import type { ServedProblem } from "../replica/problems.ts";
import type { ReplicaStatus } from "../replica/replica.ts";

interface Copy {
  readonly project: string;
  readonly status: ReplicaStatus;
  readonly problems: readonly ServedProblem[];
}

export interface StatusOptions {
  readonly config: AgentConfig;
  readonly startedAt: Date;
  readonly loadedAt: Date;
  readonly projects: readonly Copy[];
  readonly hitsOf: (project: string) => { readonly total: number; readonly distinct: number };
}

/** What `/status` shows: what is served, from where, since when, and what went wrong last. Holds no secrets. */
export function describeStatus({ config, startedAt, loadedAt, projects, hitsOf }: StatusOptions): unknown {
  return {
    name: config.name,
    startedAt,
    configurationLoadedAt: loadedAt,
    projects: Object.fromEntries(
      projects.map(({ project, status, problems }) => {
        const { checkedAt } = status;
        const ageSeconds = checkedAt && Math.round((Date.now() - checkedAt.getTime()) / 1000);
        const { total, distinct } = hitsOf(project);
        return [
          project,
          {
            ...describeSource(config.projects[project]),
            ...status,
            ageSeconds,
            hits: { total, rules: distinct },
            firstProblems: problems,
          },
        ];
      }),
    ),
    sites: config.sites.map(({ listen, hosts }) => ({ listen: formatListen(listen), hosts })),
  };
}

function describeSource(config: ProjectConfig | undefined): object {
  if (config?.manager === undefined) return { file: config?.file };
  const { url, namespace, project } = config.manager;
  return { manager: { url, namespace, project } };
}

import { formatListen } from "@posthouse/service";
import type { ProjectConfig } from "../config/project.ts";
import type { AgentConfig } from "../config/schema.ts";
import type { Failure } from "../core/failure.ts";
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
  /** Of the flags job, when it is on. */
  readonly flags?: object | undefined;
  /** Of the events job, when it is on. */
  readonly events?: object | undefined;
  readonly configurationFailure: () => Failure | undefined;
  /** Of the site at this index. */
  readonly certificateFailure: (site: number) => Failure | undefined;
  readonly hitsOf: (project: string) => { readonly total: number; readonly distinct: number };
}

/** What `/status` shows: what is served, from where, since when, and what went wrong last. Holds no secrets. */
export function describeStatus(options: StatusOptions): unknown {
  const { config, startedAt, loadedAt, projects, flags, events, hitsOf } = options;
  return {
    name: config.name,
    startedAt,
    configurationLoadedAt: loadedAt,
    configurationFailure: options.configurationFailure(),
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
    flags: config.flags && { listen: formatListen(config.flags.listen), ...flags },
    events,
    sites: config.sites.map(({ listen, hosts }, index) => ({
      listen: formatListen(listen),
      certificateFailure: options.certificateFailure(index),
      hosts,
    })),
  };
}

function describeSource(config: ProjectConfig | undefined): object {
  if (config?.manager === undefined) return { file: config?.file };
  const { url, namespace, project } = config.manager;
  return { manager: { url, namespace, project } };
}

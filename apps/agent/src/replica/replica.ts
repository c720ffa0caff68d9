/** What the local copy of one project's rules is, wherever they come from: `manager.ts` or `file.ts`. */
import type { ClientStatus } from "@posthouse/client";
import type { RuleSet, RuleSetCounters, RuleSetOptions } from "@posthouse/rules";
import type { Log, Part } from "@posthouse/service";
import type { ProjectConfig } from "../config/project.ts";
import type { ServedProblem } from "./problems.ts";

export interface Replica extends Part {
  readonly project: string;
  readonly config: ProjectConfig;
  /** Equal for two replicas that would do the same. */
  readonly key: string;
  readonly ruleSet: RuleSet | undefined;
  readonly status: ReplicaStatus;
  /** The first problems of what is served. */
  readonly problems: readonly ServedProblem[];
  /** What was cut off, since the replica was made. */
  readonly cutOff: RuleSetCounters;
  /** Resolves with the first rule set. */
  ready(): Promise<void>;
}

/** `connected` is there only where something can be connected. */
export interface ReplicaStatus extends Omit<ClientStatus, "loadedFrom" | "connected"> {
  readonly loadedFrom: ClientStatus["loadedFrom"] | "file";
  readonly connected?: boolean;
}

export interface ReplicaOptions {
  readonly project: string;
  readonly config: ProjectConfig;
  readonly agentName: string;
  readonly state: string;
  readonly log: Log;
}

/** What makes two replicas the same: every setting that is theirs, the secret included. Never logged. */
export function replicaKey({ project, config, agentName, state }: Omit<ReplicaOptions, "log">): string {
  const { debug, ...own } = config;
  return JSON.stringify([project, agentName, state, own, config.manager?.token.reveal()]);
}

/** A project's settings as its RuleSets take them. */
export function ruleOptions({ compat, limits }: ProjectConfig): RuleSetOptions {
  return {
    ...(compat && { compat }),
    regexTimeMs: limits.regex_time,
    regexUriLength: limits.regex_uri,
    patternSize: limits.pattern_size,
    compiledPatterns: limits.compiled_patterns,
  };
}

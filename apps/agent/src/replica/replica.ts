/** The local copy of one project: @posthouse/client with the agent's store, and what the log says about it. */
import { type Client, type ClientEvent, type ClientStatus, createClient } from "@posthouse/client";
import type { RuleSet } from "@posthouse/rules";
import type { Log, Part } from "@posthouse/service";
import type { ProjectConfig } from "../config/schema.ts";
import { sharedFileStore } from "./shared-store.ts";
import { snapshotPath } from "./state-directory.ts";

export interface Replica extends Part {
  readonly project: string;
  readonly config: ProjectConfig;
  /** Equal for two replicas that would do the same. */
  readonly key: string;
  readonly ruleSet: RuleSet | undefined;
  readonly status: ClientStatus;
  /** Resolves with the first rule set. */
  ready(): Promise<void>;
}

export interface ReplicaOptions {
  readonly project: string;
  readonly config: ProjectConfig;
  readonly agentName: string;
  readonly state: string;
  readonly log: Log;
}

/** What makes two replicas the same: every setting, the secret included. Never logged. */
export function replicaKey({ project, config, agentName, state }: Omit<ReplicaOptions, "log">): string {
  return JSON.stringify([project, agentName, state, config, config.manager.token.reveal()]);
}

/** Makes the replica of one project; it serves from disk first, then keeps in step with its Manager. */
export function createReplica(options: ReplicaOptions): Replica {
  const { project, config, agentName, state } = options;
  const { manager, compat } = config;
  const log = options.log.child({ project });
  const client: Client = createClient({
    manager: {
      url: manager.url,
      namespace: manager.namespace,
      project: manager.project,
      token: manager.token.reveal(),
      authorizationHeader: manager.authorization_header,
    },
    agent: { name: agentName },
    checkEveryMs: manager.check_every,
    push: manager.push,
    store: sharedFileStore(snapshotPath(state, manager)),
    ...(compat && { compat }),
    onEvent: createReporter(log, () => client.status),
  });

  return {
    name: `replica ${project}`,
    project,
    config,
    key: replicaKey(options),
    get ruleSet() {
      return client.ruleSet;
    },
    get status() {
      return client.status;
    },
    ready: () => client.ready(),
    start: () => client.start(),
    stop: (deadlineMs) => client.stop(deadlineMs),
  };
}

const staleAfterMs = 600_000;
const reportedProblems = 10;

/** Turns the client's events into log entries: a failure is told once, then again when freshness is lost. */
function createReporter(log: Log, status: () => ClientStatus): (event: ClientEvent) => void {
  const failing = new Set<string>();
  let since = 0;
  let toldStale = false;

  function onFailed({ operation, error }: ClientEvent & { type: "failed" }): void {
    const { version, checkedAt } = status();
    if (!failing.has(operation)) {
      failing.add(operation);
      since ||= Date.now();
      log.warn(
        { error, operation, serving: version },
        "the control plane copy is not in step; it is tried again",
      );
    } else log.debug({ error, operation }, "still not in step");
    const age = Date.now() - (checkedAt?.getTime() ?? since);
    if (operation === "check" && age > staleAfterMs && !toldStale) {
      toldStale = true;
      log.warn(
        { error, serving: version, checkedAt },
        "the rules are no longer fresh; they are served as they are",
      );
    }
  }

  function recovered(...operations: string[]): void {
    const any = operations.map((operation) => failing.delete(operation)).includes(true);
    if (!any) return;
    since = 0;
    toldStale = false;
    log.info({ version: status().version }, "in step again");
  }

  return (event) => {
    switch (event.type) {
      case "failed":
        return onFailed(event);
      case "loaded": {
        const { version, how, redirects, pages, problems } = event;
        log.info(
          { version, how, redirects, pages, durationMs: Math.round(event.durationMs) },
          "rules loaded",
        );
        for (const { code, message, itemId } of problems.slice(0, reportedProblems)) {
          log.warn({ code, item: itemId }, message);
        }
        if (problems.length > reportedProblems) {
          log.warn({ problems: problems.length }, "more rules have problems; /status shows how many");
        }
        if (how !== "disk") recovered("check", "changes");
        return;
      }
      case "unchanged":
        return recovered("check", "changes");
      case "connected":
        return recovered("push");
      case "saved":
        return recovered("save");
      case "older":
        return log.warn(
          { version: event.version, loadedVersion: event.loadedVersion },
          "the Manager went back to an older version",
        );
      case "disconnected":
        return log.debug({}, "push connection ended");
    }
  };
}

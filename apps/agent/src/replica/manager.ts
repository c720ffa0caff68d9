/** The copy of a Manager's project: @posthouse/client with the agent's store, and what the log says about it. */
import { type Client, type ClientEvent, type ClientStatus, createClient } from "@posthouse/client";
import type { Log } from "@posthouse/service";
import { createCutOff } from "./cut-off.ts";
import { describeProblems, logProblems, type ServedProblem } from "./problems.ts";
import { type Replica, type ReplicaOptions, replicaKey, ruleOptions } from "./replica.ts";
import { sharedFileStore } from "./shared-store.ts";
import { snapshotPath } from "./state-directory.ts";

/** Makes the replica of one project; it serves from disk first, then keeps in step with its Manager. */
export function createManagerReplica(options: ReplicaOptions): Replica {
  const { project, config, agentName, state } = options;
  const { manager } = config;
  if (manager === undefined) throw new TypeError(`projects.${project} has no manager`);
  const { compat, ...bounds } = ruleOptions(config);
  const log = options.log.child({ project });
  const cutOff = createCutOff();
  let problems: readonly ServedProblem[] = [];
  const report = createReporter(log, () => client.status);
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
    rules: bounds,
    onEvent(event) {
      if (event.type === "loaded") {
        problems = describeProblems(event.problems);
        if (client.ruleSet) cutOff.turnTo(client.ruleSet);
        logProblems(log, problems, event.problems.length);
      }
      report(event);
    },
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
    get problems() {
      return problems;
    },
    get cutOff() {
      return cutOff.total;
    },
    ready: () => client.ready(),
    start: () => client.start(),
    stop: (deadlineMs) => client.stop(deadlineMs),
  };
}

const staleAfterMs = 600_000;

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
        const { version, how, redirects, pages } = event;
        log.info(
          { version, how, redirects, pages, durationMs: Math.round(event.durationMs) },
          "rules loaded",
        );
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

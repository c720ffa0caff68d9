/** The copy of a Manager's project: @posthouse/client with the agent's store, and what the log says about it. */
import {
  type Client,
  type ClientEvent,
  type ClientOperation,
  type ClientStatus,
  createClient,
} from "@posthouse/client";
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

/** Turns the client's events into log entries: each failure is told once, then again when freshness is lost. */
function createReporter(log: Log, status: () => ClientStatus): (event: ClientEvent) => void {
  const failing = new Map<ClientOperation, string>();
  let toldStale = false;

  function onFailed({ operation, error, retryInMs }: ClientEvent & { type: "failed" }): void {
    const { version, checkedAt, startedAt } = status();
    // Check, push and report mostly fail of one cause.
    const isKnown = [...failing.values()].includes(error.code);
    failing.set(operation, error.code);
    if (isKnown) log.debug({ error, operation, retryInMs }, "still not in step");
    else
      log.warn(
        { error, operation, serving: version, retryInMs: retryInMs && Math.round(retryInMs) },
        "the control plane copy is not in step; it is tried again",
      );
    const age = Date.now() - (checkedAt ?? startedAt ?? new Date()).getTime();
    if (operation === "check" && age > staleAfterMs && !toldStale) {
      toldStale = true;
      log.warn(
        { error, serving: version, checkedAt },
        "the rules are no longer fresh; they are served as they are",
      );
    }
  }

  function onRecovered(operation: ClientOperation): void {
    failing.delete(operation);
    if (operation === "check") toldStale = false;
    if (failing.size === 0) log.info({ version: status().version }, "in step again");
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
        return;
      }
      case "recovered":
        return onRecovered(event.operation);
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

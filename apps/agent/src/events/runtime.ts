/**
 * The events job as it runs in its thread: which subscriptions there are (from the configuration, from Leek's file, and
 * added at run time), how each is wanted, and what may be asked for.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isPosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import { type EventsConfig, mostSubscriptions } from "../config/events.ts";
import { parseSubscription } from "../config/leek-subscriptions.ts";
import type { SubscriptionConfig } from "../config/subscription.ts";
import { Clashes } from "../config/subscription-clashes.ts";
import { agentErrors } from "../core/errors.ts";
import { findSetAside, setAsideStateDatabase } from "../core/state-database.ts";
import { deleteQueueAfter } from "./amqp/queue-deletion.ts";
import { createDeadLetters, describeDeadLetter, replayObstacle } from "./dead-letters.ts";
import { createFleet, type Planned } from "./fleet.ts";
import type {
  DeadLetterSelection,
  EventsCalls,
  EventsReport,
  ListedDeadLetter,
  SubscriptionOrigin,
} from "./messages.ts";
import { cleanUpLeek } from "./redis/leek-leftovers.ts";
import { brokersOf, startSubscription } from "./subscription.ts";
import { openSubscriptionStore, type SubscriptionStore } from "./subscription-store.ts";
import { createSubscriptionsFile, type SubscriptionsFile } from "./subscriptions-file.ts";
import { verifySubscription } from "./verification.ts";

export interface EventsRuntime {
  readonly calls: EventsCalls;
  start(): Promise<void>;
  /** Changes what the configuration says. */
  configure(config: EventsConfig): Promise<void>;
  report(): EventsReport;
  stop(deadlineMs: number): Promise<void>;
}

const pageSize = 500;
const cleanUpWithinMs = 50_000;
const wholePage = 20;
const lostWithIt =
  "subscriptions that were added at run time and the dead letters are in it, and those that were paused or stopped run again";
const queueStays =
  "it stays at RabbitMQ, bound to the exchange, and grows until RabbitMQ stops all publishers, unless it has a policy or is deleted";
/** Of a body in a list. */
const shownCharacters = 2000;

export function createEventsRuntime(state: string, first: EventsConfig, log: Log): EventsRuntime {
  const database = join(state, "state.db");
  const deadLetters = createDeadLetters({ file: database, log });
  const fleet = createFleet({
    start: (config) => startSubscription(config, { state, deadLetters, log }),
    log,
  });
  let config = first;
  let store: SubscriptionStore | undefined;
  let file: SubscriptionsFile | undefined;
  let fileKey: string | undefined;
  let planned = new Map<string, Planned>();
  let problems: string[] = [];
  /** Databases that were found damaged, now or before, and lie beside ours. */
  let setAside: readonly string[] = [];
  /** Changes, one at a time. */
  let queue: Promise<unknown> = Promise.resolve();

  function inTurn<T>(change: () => Promise<T> | T): Promise<T> {
    const done = queue.then(change);
    queue = done.catch(() => {});
    return done;
  }

  /** What is written in the configuration is to run, whatever became of the file. */
  function openStore(): SubscriptionStore {
    try {
      return openSubscriptionStore(database);
    } catch (error) {
      if (!isPosthouseError(error) || error.code !== "STATE_DATABASE_DAMAGED") throw error;
      const file = setAsideStateDatabase(database, new Date());
      log.error({ error, file }, `a damaged database was set aside; ${lostWithIt}`);
      return openSubscriptionStore(database);
    }
  }

  const opened = (): SubscriptionStore => {
    if (store === undefined) throw new Error("the events job does not run");
    return store;
  };

  /** All subscriptions by name; of two with the same name the first counts. */
  function plan(): void {
    const next = new Map<string, Planned>();
    const found: string[] = [];
    const wanted = opened().wanted();
    const clashes = new Clashes();
    const add = (config: SubscriptionConfig, origin: SubscriptionOrigin): void => {
      const other = next.get(config.name);
      if (other !== undefined)
        found.push(
          `subscription ${config.name} (${origin}) is left out: the ${other.origin} has one of this name`,
        );
      else if (next.size >= mostSubscriptions)
        found.push(
          `subscription ${config.name} (${origin}) is left out: there are ${mostSubscriptions} already`,
        );
      else {
        const clash = clashes.add(config);
        const brokerKind = brokersOf(config).kind;
        if (clash !== undefined)
          found.push(`subscription ${config.name} (${origin}) is left out: ${clash.message}`);
        else
          next.set(config.name, { config, origin, brokerKind, wanted: wanted.get(config.name) ?? "running" });
      }
    };
    for (const each of config.subscriptions) add(each, "configuration");
    for (const each of file?.subscriptions ?? []) add(each, "subscriptions file");
    for (const [name, value] of opened().added()) {
      try {
        add(parseSubscription(value), "added");
      } catch (error) {
        found.push(`subscription ${name} (added) cannot be used: ${(error as Error).message}`);
      }
    }
    for (const problem of found)
      if (!problems.includes(problem)) log.warn({ problem }, "not all subscriptions can run");
    problems = found;
    planned = next;
    fleet.plan(next);
  }

  async function watchFile(): Promise<void> {
    const { subscriptions_file: path, surroundings } = config;
    const key = JSON.stringify([path, surroundings?.local?.appKey.reveal(), surroundings]);
    if (key === fileKey) return;
    fileKey = key;
    file?.stop();
    file = undefined;
    if (path === undefined) return;
    const onChange = (): void => void inTurn(plan).catch((error) => log.error({ error }, "subscriptions"));
    const next = createSubscriptionsFile({ path, surroundings, log, onChange });
    file = next;
    await next.start();
  }

  function find(name: string): Planned {
    const found = planned.get(name);
    if (found === undefined) throw agentErrors.create("SUBSCRIPTION_UNKNOWN", { name });
    return found;
  }

  function findAdded(name: string): void {
    if (!planned.has(name) && opened().added().has(name)) return; // it is left out
    const { origin } = find(name);
    if (origin !== "added") throw agentErrors.create("SUBSCRIPTION_FIXED", { name, origin });
  }

  /** @throws SUBSCRIPTION_CLASHES with one that is there, other than itself */
  function refuseClash(config: SubscriptionConfig): void {
    const clashes = new Clashes();
    for (const [name, other] of planned) if (name !== config.name) clashes.add(other.config);
    const clash = clashes.add(config);
    if (clash !== undefined) throw agentErrors.create("SUBSCRIPTION_CLASHES", { reason: clash.message });
  }

  /** Changes one subscription, in turn, and waits until it is so; nobody else waits for that. */
  async function change(name: string, write: (store: SubscriptionStore) => void): Promise<void> {
    await inTurn(() => {
      write(opened());
      plan();
    });
    await fleet.settled(name);
  }

  /** Those ids, or all of a subscription, in pages; what comes meanwhile, as what is replayed and fails again, is not in it. */
  async function* selected({ ids, subscription }: DeadLetterSelection): AsyncGenerator<readonly number[]> {
    if (ids !== undefined) yield ids;
    if (subscription === undefined) return;
    const began = Date.now();
    for (let after = 0; ; ) {
      const page = deadLetters.list({ subscription, after, limit: pageSize });
      const last = page.at(-1);
      if (last === undefined) return;
      yield page.filter(({ firstAt }) => firstAt < began).map(({ id }) => id);
      if (last.firstAt >= began) return;
      after = last.id;
    }
  }

  async function replay(ids: readonly number[], onLeft: (reason: string) => void): Promise<number> {
    let replayed = 0;
    for (const id of ids) {
      const [letter] = deadLetters.list({ after: id - 1, limit: 1 });
      if (letter?.id !== id) {
        onLeft("there is none with that id");
        continue;
      }
      const obstacle = replayObstacle(letter);
      if (obstacle !== undefined) {
        onLeft(obstacle);
        continue;
      }
      const { subscription } = letter;
      const running = fleet.running(subscription);
      if (running === undefined) throw agentErrors.create("SUBSCRIPTION_STOPPED", { name: subscription });
      replayed += await deadLetters.replay([id], running.spool);
    }
    return replayed;
  }

  const calls: EventsCalls = {
    async add(value) {
      const config = parseSubscription(value);
      const { name } = config;
      const refuseTwice = (): void => {
        const other = planned.get(name);
        if (other !== undefined)
          throw agentErrors.create("SUBSCRIPTION_EXISTS", { name, origin: other.origin });
        if (planned.size >= mostSubscriptions)
          throw agentErrors.create("SUBSCRIPTIONS_TOO_MANY", { most: mostSubscriptions });
        refuseClash(config);
      };
      refuseTwice();
      await verifySubscription(config);
      await change(name, (store) => {
        refuseTwice();
        store.put(name, value);
      });
      return name;
    },
    async change(name, value) {
      findAdded(name);
      const config = parseSubscription(value);
      if (config.name !== name)
        throw agentErrors.create("SUBSCRIPTION_RENAMED", { name, other: config.name });
      refuseClash(config);
      await verifySubscription(config);
      await change(name, (store) => {
        findAdded(name);
        refuseClash(config);
        store.put(name, value);
      });
    },
    async remove(name, { deleteQueue }) {
      findAdded(name);
      const remove = (): Promise<void> =>
        change(name, (store) => {
          findAdded(name);
          store.remove(name);
          store.want(name, "running");
        });
      // One that is left out never had a queue of its own.
      const config = planned.get(name)?.config;
      const brokers = config && brokersOf(config);
      if (config === undefined || brokers?.kind !== "amqp") {
        if (deleteQueue) throw agentErrors.create("SUBSCRIPTION_NOT_RABBITMQ", { name });
        await remove();
        return { removed: name };
      }
      if (!deleteQueue) {
        await remove();
        return { removed: name, queue: { name: config.queue, isDeleted: false, note: queueStays } };
      }
      const done = await deleteQueueAfter(brokers.addresses, config.queue, remove);
      return {
        removed: name,
        queue:
          "failure" in done
            ? { name: config.queue, isDeleted: false, note: `${done.failure.message}; ${queueStays}` }
            : { name: config.queue, isDeleted: true, messages: done.messages },
      };
    },
    want: (name, state) =>
      change(name, (store) => {
        find(name);
        store.want(name, state);
      }),
    async restart(name) {
      await change(name, (store) => {
        find(name);
        store.want(name, "running");
        fleet.restart(name);
      });
    },
    async cleanUp(name, { dryRun }) {
      const { config } = find(name);
      const brokers = brokersOf(config);
      if (brokers.kind !== "redis") throw agentErrors.create("SUBSCRIPTION_NOT_REDIS", { name });
      const running = fleet.running(name);
      if (running === undefined) throw agentErrors.create("SUBSCRIPTION_STOPPED", { name });
      const { exchange, queue } = config;
      const signal = AbortSignal.timeout(cleanUpWithinMs);
      return cleanUpLeek({ brokers, exchange, queue, dryRun, deliverTo: running.intake, signal });
    },
    async listDeadLetters({ whole = false, ...query }) {
      if (!whole) return deadLetters.list(query).map((letter) => shortened(describeDeadLetter(letter)));
      const page: ListedDeadLetter[] = [];
      let bytes = 0;
      for (const letter of deadLetters.list({ ...query, limit: wholePage })) {
        page.push(describeDeadLetter(letter) as ListedDeadLetter);
        bytes += letter.record.length;
        if (bytes > 2 ** 20) break;
      }
      return page;
    },
    async replayDeadLetters(selection) {
      let replayed = 0;
      const left = new Map<string, number>();
      const onLeft = (reason: string): void => void left.set(reason, (left.get(reason) ?? 0) + 1);
      for await (const ids of selected(selection)) replayed += await replay(ids, onLeft);
      return { replayed, left: [...left].map(([reason, letters]) => ({ reason, letters })) };
    },
    async dropDeadLetters(selection) {
      let dropped = 0;
      for await (const ids of selected(selection)) dropped += deadLetters.drop(ids);
      return dropped;
    },
  };

  return {
    calls,
    start: () =>
      inTurn(async () => {
        await mkdir(join(state, "spool"), { recursive: true, mode: 0o750 });
        store = openStore();
        setAside = findSetAside(database);
        await deadLetters.start();
        await watchFile();
        plan();
      }),
    configure: (next) =>
      inTurn(async () => {
        config = next;
        await watchFile();
        plan();
      }),
    report() {
      const { evicted, replayed, dropped } = deadLetters.counters;
      setAside = setAside.filter((file) => existsSync(file));
      return {
        at: new Date(),
        subscriptions: fleet.report(),
        problems: [
          ...setAside.map((file) => `${file} was found damaged and set aside: ${lostWithIt}`),
          ...(file?.problems ?? []),
          ...problems,
        ],
        brokenFile: file?.isBroken === true ? file.problems : undefined,
        setAsideDatabases: setAside.length,
        deadLetters: { ...deadLetters.total(), evicted, replayed, dropped },
      };
    },
    async stop(deadlineMs) {
      file?.stop();
      await fleet.stop(deadlineMs);
      await deadLetters.stop(deadlineMs);
      store?.close();
      store = undefined;
    },
  };
}

function shortened(described: object): ListedDeadLetter {
  const letter = described as ListedDeadLetter;
  for (const key of ["text", "base64"]) {
    const body = letter[key];
    if (typeof body === "string" && body.length > shownCharacters)
      return { ...letter, [key]: body.slice(0, shownCharacters), isShortened: true };
  }
  return letter;
}

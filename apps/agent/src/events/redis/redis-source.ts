import type { Log } from "@posthouse/service";
import { agentErrors } from "../../core/errors.ts";
import { type BrokerList, Failover, formatBroker, type RedisAddress } from "../broker-address.ts";
import { createReconnect, type Session } from "../reconnect.ts";
import type { Intake, Source, SourceStatus } from "../source.ts";
import { SourceRecord } from "../source-record.ts";
import { type DropPolicy, RedisBacklog } from "./redis-backlog.ts";
import { channelPattern } from "./redis-channels.ts";
import { openRedis, type RedisConnection } from "./redis-connection.ts";
import { formatRedisPlace } from "./redis-errors.ts";
import { createRedisLease, leaseMs } from "./redis-lease.ts";
import { RedisStandby } from "./redis-standby.ts";

const unsubscribeMs = 1000;

export interface RedisSourceOptions {
  /** Of the subscription: names the connection, and the lease of a pair. */
  readonly name: string;
  readonly brokers: Extract<BrokerList, { kind: "redis" }>;
  readonly exchange: string;
  readonly routingKey: string;
  readonly intake: Intake;
  readonly log: Log;
  /** What may be kept while the intake refuses, and as much again by the standby of a pair. Default 64 MiB. */
  readonly memoryBytes?: number;
  /** What is given up beyond that. Default `drop-oldest`. */
  readonly whenFull?: DropPolicy;
  /** One of several agents delivers, chosen by a lease: the only key that is written. */
  readonly pair?: boolean;
  /** Default 10 s. */
  readonly leaseMs?: number;
}

export interface RedisSourceStatus extends SourceStatus {
  /** Connections that ended while we received. */
  readonly disconnects: number;
  /** Of those, at which Redis says that it cut a client because too much waited for it. */
  readonly outputCuts: number;
}

export interface RedisSource extends Source {
  readonly status: RedisSourceStatus;
}

/** Receives what kombu publishes, over a connection of its own, and writes nothing but the lease of a pair. */
export function createRedisSource(options: RedisSourceOptions): RedisSource {
  const { name, brokers, exchange, routingKey, memoryBytes = 64 * 2 ** 20 } = options;
  const log = options.log.child({ subscription: name });
  const failover = new Failover(brokers.addresses, brokers.strategy);
  const record = new SourceRecord(formatBroker(failover.current), log);
  const standby = new RedisStandby(memoryBytes);
  /** The connection that was lost last. */
  let last: RedisConnection | undefined;
  let isConnected = false;
  let disconnects = 0;
  let outputCuts = 0;
  let overlap = 0;
  let takeovers = 0;

  const backlog = new RedisBacklog({
    intake: options.intake,
    memoryBytes,
    policy: options.whenFull ?? "drop-oldest",
    log,
    onGap: () => record.gaps++,
    onDropped(count) {
      record.dropped += count;
    },
    onHolding: () => isConnected && showState(),
  });

  const lease =
    options.pair === true
      ? createRedisLease({
          ...brokers,
          key: `${failover.current.globalKeyPrefix}posthouse.lease.${exchange}.${name}`,
          leaseMs: options.leaseMs ?? leaseMs,
          onLeading: lead,
          onFailed: (error) => log.warn({ error }, "the lease of the pair cannot be had now"),
        })
      : undefined;

  function lead(isNew: boolean): void {
    const held = standby.take();
    if (isNew) {
      takeovers++;
      overlap += held.length;
      log.info({ held: held.length }, "this agent delivers now, not the other one of its pair");
    }
    for (const payload of held) backlog.receive(payload, true);
  }

  function receive(payload: Buffer): void {
    record.received++;
    if (lease === undefined || lease.isLeading) backlog.receive(payload);
    else standby.hold(payload);
  }

  function showState(): void {
    record.state = backlog.held > 0 ? "blocked" : "receiving";
  }

  async function connect(address: RedisAddress, signal: AbortSignal): Promise<Session> {
    const connection = await openRedis(address, { name: `posthouse::${name}`, signal });
    noteCut(address, connection);
    try {
      await connection.subscribe(channelPattern(address, exchange, routingKey), receive);
    } catch (error) {
      await connection.close(0);
      throw error;
    }
    isConnected = true;
    showState();
    return session(connection);
  }

  /**
   * Counts when the same server has cut a client since, as newer ones say; of others we know that it was in the middle of
   * a message.
   */
  function noteCut(address: RedisAddress, { server }: RedisConnection): void {
    const before = last;
    last = undefined;
    if (before?.server === undefined || before.server.runId !== server?.runId) return;
    const isCut =
      server.outputCuts === undefined || before.server.outputCuts === undefined
        ? before.isCutShort
        : server.outputCuts > before.server.outputCuts;
    if (!isCut) return;
    outputCuts++;
    record.failed(agentErrors.create("BROKER_OUTPUT_LIMIT", { address: formatRedisPlace(address) }));
  }

  function session(connection: RedisConnection): Session {
    const ended = connection.ended.then((reason) => {
      isConnected = false;
      last = reason === undefined ? undefined : connection;
      return reason;
    });
    return {
      ended,
      async end(deadlineMs) {
        await connection.unsubscribe(Math.min(deadlineMs, unsubscribeMs));
        await connection.close(500);
        await ended;
      },
    };
  }

  const reconnect = createReconnect({
    failover,
    connect,
    onConnecting(address) {
      record.broker = formatBroker(address);
      record.state = "connecting";
    },
    onFailed(error, wasConnected) {
      if (wasConnected) {
        record.gaps++;
        disconnects++;
      }
      record.failed(error);
    },
    onIdle(state) {
      record.state = state;
    },
  });
  let stopping: Promise<void> | undefined;

  return {
    name: `events from ${name}`,
    get status() {
      const pair = lease && {
        isLeading: lease.isLeading,
        held: standby.length,
        heldShort: standby.short,
        overlap,
        takeovers,
      };
      return { ...record.status(backlog.pending), disconnects, outputCuts, pair };
    },
    start() {
      reconnect.start();
      lease?.start();
      return Promise.resolve();
    },
    pause() {
      if (isConnected) record.gaps++;
      reconnect.pause();
      lease?.pause();
    },
    resume() {
      reconnect.resume();
      lease?.resume();
    },
    stop(deadlineMs) {
      stopping ??= (async () => {
        const endsAt = performance.now() + deadlineMs;
        const left = (): number => Math.max(0, endsAt - performance.now());
        await reconnect.stop(left());
        await backlog.settle(left());
        await lease?.stop(Math.max(500, left()));
      })();
      return stopping;
    },
  };
}

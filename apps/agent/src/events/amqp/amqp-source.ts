import type { Log } from "@posthouse/service";
import { type AmqpAddress, type BrokerList, Failover, formatBroker } from "../broker-address.ts";
import type { BrokerMessage } from "../celery/message.ts";
import { createReconnect, type Session } from "../reconnect.ts";
import type { Intake, Source } from "../source.ts";
import { SourceRecord } from "../source-record.ts";
import { type AmqpConnection, type AmqpTopology, type ConsumeMessage, openAmqp } from "./amqp-connection.ts";
import { AmqpEpoch } from "./amqp-epoch.ts";

export interface AmqpSourceOptions extends AmqpTopology {
  /** Of the subscription: names the connection and the consumer at the broker. */
  readonly name: string;
  readonly brokers: Extract<BrokerList, { kind: "amqp" }>;
  /** Deliveries that the broker sends without acknowledgement. */
  readonly prefetch: number;
  readonly intake: Intake;
  readonly log: Log;
}

/**
 * Receives from a queue of RabbitMQ, and acknowledges what the intake says is durable. Exchange, queue and binding are
 * declared as the Leek agent does. What the intake refuses is held, and the broker keeps the rest.
 */
export function createAmqpSource(options: AmqpSourceOptions): Source {
  const { name, brokers, intake } = options;
  const log = options.log.child({ subscription: name });
  const failover = new Failover(brokers.addresses, brokers.strategy);
  const record = new SourceRecord(formatBroker(failover.current), log);
  let pending = 0;
  let epoch: AmqpEpoch | undefined;
  let isConnected = false;
  let isAskingForRoom = false;
  let blockedBy: string | undefined;

  function showState(): void {
    if (!isConnected) return;
    record.state = blockedBy !== undefined || (epoch?.held ?? 0) > 0 ? "blocked" : "receiving";
  }

  /** One request at a time, whatever becomes of the connections meanwhile. */
  function askForRoom(): void {
    if (isAskingForRoom) return;
    isAskingForRoom = true;
    intake.onRoom(() => {
      isAskingForRoom = false;
      epoch?.offerHeld();
    });
  }

  async function connect(address: AmqpAddress, signal: AbortSignal): Promise<Session> {
    const connection = await openAmqp(address, {
      name: `posthouse::${name}`,
      signal,
      onBlocked(reason) {
        blockedBy = reason;
        showState();
      },
    });
    const own = new AmqpEpoch(intake, {
      ack: (tag) => connection.ack(tag),
      onPending(change) {
        pending += change;
      },
      onHolding: showState,
      askForRoom,
    });
    epoch = own;
    try {
      await connection.consume({
        ...options,
        signal,
        consumerTag: `${name}-${process.pid}`,
        onMessage(message) {
          record.received++;
          own.receive(brokerMessage(message));
        },
      });
    } catch (error) {
      own.end();
      await connection.close(1000);
      throw error;
    }
    isConnected = true;
    showState();
    return session(connection, own);
  }

  function session(connection: AmqpConnection, own: AmqpEpoch): Session {
    const ended = connection.ended.then((reason) => {
      own.end();
      isConnected = false;
      blockedBy = undefined;
      return reason;
    });
    return {
      ended,
      async end(deadlineMs) {
        const endsAt = performance.now() + deadlineMs;
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, deadlineMs);
        });
        await Promise.race([connection.cancel().then(() => own.settle()), ended, late]);
        clearTimeout(timer);
        await connection.close(Math.max(300, endsAt - performance.now()));
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
    onFailed: (error) => record.failed(error),
    onIdle(state) {
      record.state = state;
    },
  });
  return {
    name: `events from ${name}`,
    get status() {
      return { ...record.status(pending + (epoch?.held ?? 0)), heldBackFor: blockedBy };
    },
    start: () => Promise.resolve(reconnect.start()),
    pause: () => reconnect.pause(),
    resume: () => reconnect.resume(),
    stop: (deadlineMs) => reconnect.stop(deadlineMs),
  };
}

function brokerMessage({ content, fields, properties }: ConsumeMessage): BrokerMessage {
  return {
    transport: "amqp",
    body: content,
    contentType: properties.contentType as string | undefined,
    contentEncoding: properties.contentEncoding as string | undefined,
    compression: properties.headers?.compression as unknown,
    isRedelivered: fields.redelivered ? true : undefined,
  };
}

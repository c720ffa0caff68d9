import { type AmqpTopology, openAmqp } from "./amqp/amqp-connection.ts";
import type { BrokerAddress, BrokerList } from "./broker-address.ts";
import { channelPattern } from "./redis/redis-channels.ts";
import { openRedis } from "./redis/redis-connection.ts";

export interface VerifyOptions extends AmqpTopology {
  readonly brokers: BrokerList;
  readonly signal?: AbortSignal;
}

/**
 * Connects once, to the first broker of the list that lets us. RabbitMQ is asked for exchange, queue and binding as a
 * source does it; to Redis nothing is written. Each of them has its `connect_timeout`.
 *
 * @throws why the first of them does not: BROKER_UNREACHABLE, BROKER_TIMED_OUT, BROKER_LOGIN_REFUSED,
 * BROKER_VHOST_REFUSED, BROKER_TLS_FAILED, BROKER_NOT_ONE, BROKER_DENIED, BROKER_OBJECT_DIFFERS, BROKER_CLOSED
 */
export async function verifyBroker(options: VerifyOptions): Promise<void> {
  const failures: unknown[] = [];
  for (const address of options.brokers.addresses) {
    try {
      return await verifyOne(address, options);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

async function verifyOne(address: BrokerAddress, options: VerifyOptions): Promise<void> {
  const { exchange, routingKey, signal } = options;
  const connectOptions = { name: "posthouse::verify", ...(signal && { signal }) };
  if (address.kind === "amqp") {
    const connection = await openAmqp(address, connectOptions);
    try {
      await connection.declare(options, signal);
    } finally {
      await connection.close(2000);
    }
    return;
  }
  const connection = await openRedis(address, connectOptions);
  try {
    await connection.subscribe(channelPattern(address, exchange, routingKey), () => {});
  } finally {
    await connection.close(1000);
  }
}

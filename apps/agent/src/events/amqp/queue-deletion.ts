import { setTimeout as sleep } from "node:timers/promises";
import { isPosthouseError } from "@posthouse/protocol";
import type { AmqpAddress } from "../broker-address.ts";
import { type AmqpConnection, openAmqp } from "./amqp-connection.ts";

const attempts = 4;
const againMs = 500;

/**
 * Connects to the first broker of the list that lets us, does what has to be done before (ending our own consumer), and
 * deletes the queue, unless somebody else receives from it. Returns how many messages it held, or why it is still there.
 *
 * @throws BROKER_… when none lets us: nothing was done then.
 */
export async function deleteQueueAfter(
  addresses: readonly AmqpAddress[],
  queue: string,
  beforehand: () => Promise<void>,
): Promise<{ readonly messages: number } | { readonly failure: Error }> {
  const connection = await openFirst(addresses);
  try {
    await beforehand();
    return { messages: await deleteUnused(connection, queue) };
  } catch (error) {
    if (!isPosthouseError(error) || !error.code.startsWith("BROKER_")) throw error;
    return { failure: error };
  } finally {
    await connection.close(1000);
  }
}

async function openFirst(addresses: readonly AmqpAddress[]): Promise<AmqpConnection> {
  const failures: unknown[] = [];
  for (const address of addresses) {
    try {
      return await openAmqp(address, { name: "posthouse::removal" });
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

/** A consumer whose connection was cut a moment ago counts until RabbitMQ notices. */
async function deleteUnused(connection: AmqpConnection, queue: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connection.deleteQueue(queue);
    } catch (error) {
      const isUsed = isPosthouseError(error) && error.code === "BROKER_QUEUE_USED";
      if (!isUsed || attempt === attempts) throw error;
    }
    await sleep(againMs);
  }
}

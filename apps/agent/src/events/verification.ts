import type { SubscriptionConfig } from "../config/subscription.ts";
import { brokersOf, createSink } from "./subscription.ts";
import { verifyBroker } from "./verify-broker.ts";

const withinMs = 20_000;

/**
 * Whether broker and receiver can be reached and take our credentials; changes nothing at either.
 * @throws BROKER_…, EVENTS_TARGET_UNREACHABLE, EVENTS_TARGET_REFUSES
 */
export async function verifySubscription(config: SubscriptionConfig): Promise<void> {
  const signal = AbortSignal.timeout(withinMs);
  const { exchange, routing_key: routingKey } = config;
  const sink = createSink(config);
  try {
    await Promise.all([
      verifyBroker({ brokers: brokersOf(config), exchange, routingKey, signal }),
      sink.verify(signal),
    ]);
  } finally {
    await sink.close();
  }
}

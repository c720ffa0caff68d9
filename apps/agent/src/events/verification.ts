import type { SubscriptionConfig } from "../config/subscription.ts";
import { brokersOf, createSink } from "./subscription.ts";
import { verifyBroker } from "./verify-broker.ts";

const withinMs = 20_000;

/**
 * Whether broker and receiver can be reached and take our credentials, and the broker has or makes what is to be
 * consumed. The receiver first: for one that is refused, no queue is left behind that nobody empties.
 * @throws BROKER_…, EVENTS_TARGET_UNREACHABLE, EVENTS_TARGET_REFUSES
 */
export async function verifySubscription(config: SubscriptionConfig): Promise<void> {
  const signal = AbortSignal.timeout(withinMs);
  const { exchange, queue, quorum, routing_key: routingKey } = config;
  const sink = createSink(config);
  try {
    await sink.verify(signal);
    await verifyBroker({ brokers: brokersOf(config), exchange, queue, quorum, routingKey, signal });
  } finally {
    await sink.close();
  }
}

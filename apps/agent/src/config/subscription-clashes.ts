import { formatHost } from "../events/broker-address.ts";
import { parseBrokerUrls } from "../events/broker-url.ts";
import type { SubscriptionConfig } from "./subscription.ts";

/** Why a subscription cannot run beside others. */
export interface Clash {
  readonly path: readonly string[];
  readonly message: string;
}

/** Of subscriptions that run together, which cannot run beside those before them. */
export class Clashes {
  readonly #names = new Set<string>();
  readonly #queues = new Map<string, string>();

  /** Why it cannot run beside those that were accepted; undefined: it is accepted. */
  add(subscription: SubscriptionConfig): Clash | undefined {
    const { name, queue } = subscription;
    if (this.#names.has(name))
      return { path: [], message: `there are two subscriptions ${name}: app_name and app_env name it` };
    const queues = queuesOf(subscription);
    for (const at of queues) {
      const other = this.#queues.get(at);
      if (other === undefined) continue;
      const message = `the subscriptions ${other} and ${name} both consume the queue ${queue} at ${at.slice(queue.length + 1)}: each would get a part of the events; give one of them a queue of its own`;
      return { path: ["queue"], message };
    }
    this.#names.add(name);
    for (const at of queues) this.#queues.set(at, name);
    return undefined;
  }
}

/** Each that clashes with one before it, with its index. */
export function findClashes(
  subscriptions: readonly SubscriptionConfig[],
): (Clash & { readonly index: number })[] {
  const clashes = new Clashes();
  return subscriptions.flatMap((subscription, index) => {
    const clash = clashes.add(subscription);
    return clash === undefined ? [] : [{ ...clash, index }];
  });
}

/** The queues of RabbitMQ that it may consume; what is published on Redis everyone gets. */
function queuesOf({ broker, failover_strategy, queue }: SubscriptionConfig): string[] {
  const { kind, addresses } = parseBrokerUrls(broker.reveal(), "broker", failover_strategy);
  if (kind === "redis") return [];
  return addresses.map(({ host, port, vhost }) => {
    const at = formatHost({ host: host.toLowerCase(), port });
    return `${queue} ${at}, vhost ${vhost}`;
  });
}

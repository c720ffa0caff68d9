import type { Secret } from "@posthouse/service";

/** How a connection is encrypted. Files are PEM, by path. */
export interface BrokerTls {
  /** Whether the broker's certificate must be signed by an authority that we know. */
  readonly verifies: boolean;
  /** Whether it must be of the host that was asked for, too. */
  readonly checksHost: boolean;
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export interface AmqpAddress extends HostAndPort {
  readonly kind: "amqp";
  readonly user: string;
  readonly password: Secret;
  readonly vhost: string;
  readonly tls?: BrokerTls | undefined;
  /** 0: none. */
  readonly heartbeatSeconds: number;
  readonly connectTimeoutMs: number;
}

export interface RedisAddress {
  readonly kind: "redis";
  /** A server; the path of its socket; or Sentinels that know which server it is. */
  readonly at:
    | HostAndPort
    | { readonly path: string }
    | {
        readonly sentinels: readonly HostAndPort[];
        readonly masterName: string;
        readonly user?: string | undefined;
        readonly password?: Secret | undefined;
      };
  readonly user?: string | undefined;
  readonly password?: Secret | undefined;
  readonly db: number;
  readonly tls?: BrokerTls | undefined;
  readonly connectTimeoutMs: number;
  /** In front of every key and channel. */
  readonly globalKeyPrefix: string;
  /** Between that and the exchange, in channels; kombu's default is `/DB.`. */
  readonly fanoutPrefix: string;
  /** Whether channels end with the routing key. */
  readonly fanoutPatterns: boolean;
}

export type BrokerAddress = AmqpAddress | RedisAddress;

/** The brokers of a subscription, all of one kind: the first, and who is asked when it is away. */
export type BrokerList =
  | { readonly kind: "amqp"; readonly addresses: readonly AmqpAddress[]; readonly strategy: FailoverStrategy }
  | {
      readonly kind: "redis";
      readonly addresses: readonly RedisAddress[];
      readonly strategy: FailoverStrategy;
    };

export type FailoverStrategy = "round-robin" | "shuffle";

/** The address as people read it: never with a password. */
export function formatBroker(address: BrokerAddress): string {
  const secure = address.tls !== undefined;
  const user =
    address.user === undefined || address.user === "" ? "" : `${encodeURIComponent(address.user)}@`;
  if (address.kind === "amqp") {
    const scheme = secure ? "amqps" : "amqp";
    return `${scheme}://${user}${formatHost(address)}/${encodeURIComponent(address.vhost)}`;
  }
  const { at, db } = address;
  if ("path" in at) return `redis+socket://${user}${at.path}?virtual_host=${db}`;
  if ("sentinels" in at) {
    const hosts = at.sentinels.map(formatHost).join(",");
    return `sentinel://${user}${hosts}/${db}?master_name=${encodeURIComponent(at.masterName)}`;
  }
  return `${secure ? "rediss" : "redis"}://${user}${formatHost(at)}/${db}`;
}

/** What takes too long, in the words of BROKER_TIMED_OUT. */
export function openingOf({ tls }: BrokerAddress): string {
  return tls === undefined ? "to open a connection" : "to open an encrypted connection";
}

export function formatHost({ host, port }: HostAndPort): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Addresses in the order in which they are tried: the one in use again, then the next, for ever. */
export class Failover<Address> {
  readonly #addresses: readonly Address[];
  readonly #strategy: FailoverStrategy;
  readonly #random: () => number;
  #order: readonly Address[];
  #index = 0;

  constructor(addresses: readonly Address[], strategy: FailoverStrategy, random: () => number = Math.random) {
    this.#addresses = addresses;
    this.#strategy = strategy;
    this.#random = random;
    this.#order = addresses;
  }

  get current(): Address {
    const address = this.#order[this.#index];
    if (address === undefined) throw new RangeError("a failover list without addresses");
    return address;
  }

  /** Goes on to the next; true when all had their turn and a round begins anew. */
  advance(): boolean {
    this.#index = (this.#index + 1) % this.#order.length;
    if (this.#index > 0) return false;
    if (this.#strategy === "shuffle") this.#order = shuffled(this.#addresses, this.#random);
    return true;
  }
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

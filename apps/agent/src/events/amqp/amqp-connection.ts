/** The only file that knows amqplib: a connection to RabbitMQ, and one consumer on it. */
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { agentErrors } from "../../core/errors.ts";
import { type AmqpAddress, formatHost, openingOf } from "../broker-address.ts";
import { readBrokerTls } from "../broker-tls.ts";
import { explainAmqpError } from "./amqp-errors.ts";

export type { ConsumeMessage };

export interface AmqpTopology {
  readonly exchange: string;
  readonly queue: string;
  readonly routingKey: string;
  /** Declares the queue as a quorum queue. */
  readonly quorum: boolean;
}

export interface AmqpConnectOptions {
  /** How RabbitMQ lists the connection. */
  readonly name: string;
  /** Gives up at once when aborted while it is being opened. */
  readonly signal?: AbortSignal;
  /** RabbitMQ blocks who publishes, for this reason; undefined: no longer. */
  readonly onBlocked?: (reason: string | undefined) => void;
}

export interface AmqpConsumeOptions extends AmqpTopology {
  readonly prefetch: number;
  readonly consumerTag: string;
  readonly signal?: AbortSignal;
  onMessage(message: ConsumeMessage): void;
}

export interface AmqpConnection {
  /** Resolves when it is over; with the reason, unless we closed it. */
  readonly ended: Promise<Error | undefined>;
  /** Declares exchange, queue and binding, which may be there already. Instead of `consume`, not before it. @throws BROKER_… */
  declare(topology: AmqpTopology, signal?: AbortSignal): Promise<void>;
  /** Declares them and consumes. Once. @throws BROKER_… */
  consume(options: AmqpConsumeOptions): Promise<void>;
  /** Acknowledges this delivery and all before it. Does nothing once the connection is over. */
  ack(deliveryTag: number): void;
  /** Resolves when nothing is delivered any more. */
  cancel(): Promise<void>;
  /** Deletes a queue that nobody consumes from, if it is there; how many messages it held. @throws BROKER_… */
  deleteQueue(queue: string): Promise<number>;
  /** Waits for the broker at most `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
}

/** What the broker answers after opening may take this long. */
const answerMs = 30_000;

/** @throws BROKER_UNREACHABLE, BROKER_TIMED_OUT and the other errors of brokers. */
export async function openAmqp(address: AmqpAddress, options: AmqpConnectOptions): Promise<AmqpConnection> {
  const tls = address.tls === undefined ? {} : await readBrokerTls(address.tls);
  const { connect } = await import("amqplib");
  // Destroys the socket, whatever amqplib waits for.
  const cut = new AbortController();
  const opened = connect(
    {
      protocol: address.tls === undefined ? "amqp" : "amqps",
      hostname: address.host,
      port: address.port,
      username: address.user,
      password: address.password.reveal(),
      vhost: encodeURIComponent(address.vhost),
      heartbeat: address.heartbeatSeconds,
    },
    {
      noDelay: true,
      keepAlive: true,
      clientProperties: { connection_name: options.name, product: "posthouse" },
      ...tls,
      // Of Node's sockets; amqplib's types do not know it.
      ...({ signal: cut.signal } as object),
    },
  );
  let model: ChannelModel;
  try {
    model = await withDeadline(opened, address, address.connectTimeoutMs, openingOf(address), options.signal);
  } catch (error) {
    cut.abort();
    // Should it be opened all the same, what it emits must not be unheard.
    opened.then(
      (late) => void late.on("error", () => {}),
      () => {},
    );
    throw explainAmqpError(error as Error, address, false);
  }
  return new OpenConnection(model, address, cut, options.onBlocked);
}

class OpenConnection implements AmqpConnection {
  readonly ended: Promise<Error | undefined>;
  readonly #model: ChannelModel;
  readonly #address: AmqpAddress;
  readonly #cut: AbortController;
  #channel: Channel | undefined;
  #consumerTag = "";
  #reason: Error | undefined;
  #isClosing = false;
  #closing: Promise<void> | undefined;
  readonly #end: (reason: Error | undefined) => void;

  constructor(
    model: ChannelModel,
    address: AmqpAddress,
    cut: AbortController,
    onBlocked: AmqpConnectOptions["onBlocked"],
  ) {
    this.#model = model;
    this.#address = address;
    this.#cut = cut;
    model.on("error", (error: Error) => {
      this.#reason ??= error;
    });
    model.on("blocked", (reason: string) => onBlocked?.(String(reason)));
    model.on("unblocked", () => onBlocked?.(undefined));
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    this.ended = promise;
    this.#end = resolve;
    model.on("close", (error?: Error) => {
      setTimeout(() => cut.abort(), 500).unref();
      const reason = this.#reason ?? error ?? new Error("it was closed");
      resolve(this.#isClosing ? undefined : explainAmqpError(reason, address, true));
    });
  }

  async consume(options: AmqpConsumeOptions): Promise<void> {
    const { queue, prefetch, consumerTag, signal } = options;
    this.#consumerTag = consumerTag;
    const consume = async (): Promise<void> => {
      const channel = await this.#declare(options);
      await channel.prefetch(prefetch);
      const onMessage = (message: ConsumeMessage | null): void => {
        if (message !== null) options.onMessage(message);
        else
          this.#fail(agentErrors.create("BROKER_QUEUE_GONE", { queue, address: formatHost(this.#address) }));
      };
      await channel.consume(queue, onMessage, { noAck: false, consumerTag });
    };
    await this.#bounded(consume(), "to declare the queue and to consume", signal);
  }

  async declare(topology: AmqpTopology, signal?: AbortSignal): Promise<void> {
    await this.#bounded(this.#declare(topology), "to declare the queue", signal);
  }

  async #declare({ exchange, queue, routingKey, quorum }: AmqpTopology): Promise<Channel> {
    const channel = await this.#openChannel();
    await channel.assertExchange(exchange, "topic", { durable: true });
    const type = quorum ? { arguments: { "x-queue-type": "quorum" } } : {};
    await channel.assertQueue(queue, { durable: true, ...type });
    await channel.bindQueue(queue, exchange, routingKey);
    return channel;
  }

  async #bounded(work: Promise<unknown>, doing: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await withDeadline(work, this.#address, answerMs, doing, signal);
    } catch (error) {
      throw explainAmqpError(error as Error, this.#address, true);
    }
  }

  ack(deliveryTag: number): void {
    try {
      this.#channel?.ack({ fields: { deliveryTag } } as ConsumeMessage, true);
    } catch {
      // The channel is closed: the broker delivers again what was not acknowledged on it.
    }
  }

  async cancel(): Promise<void> {
    await this.#channel?.cancel(this.#consumerTag).catch(() => {});
  }

  async deleteQueue(queue: string): Promise<number> {
    try {
      const deleted = async (): Promise<number> => {
        const channel = await this.#model.createChannel();
        channel.on("error", () => {}); // what it is about rejects the call
        const { messageCount } = await channel.deleteQueue(queue, { ifUnused: true });
        await channel.close();
        return messageCount;
      };
      return await withDeadline(deleted(), this.#address, answerMs, "to delete the queue");
    } catch (error) {
      const { code, message } = error as Error & { code?: unknown };
      const address = formatHost(this.#address);
      if (code === 406 && message.includes("in use"))
        throw agentErrors.create("BROKER_QUEUE_USED", { queue, address });
      throw explainAmqpError(error as Error, this.#address, true);
    }
  }

  async #openChannel(): Promise<Channel> {
    const channel = await this.#model.createChannel();
    this.#channel = channel;
    channel.on("error", (error: Error) => this.#fail(error));
    channel.on("close", () => {
      if (!this.#isClosing && this.#reason === undefined) this.#fail(new Error("the channel was closed"));
    });
    return channel;
  }

  /** Ends the connection for this reason: without its channel it is of no use. */
  #fail(reason: Error): void {
    this.#reason ??= reason;
    this.#model.close().catch(() => this.#cut.abort());
    setTimeout(() => this.#cut.abort(), 2000).unref();
  }

  close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    const timer = setTimeout(() => {
      this.#cut.abort();
      // amqplib tells no second time of an end that came before we listened.
      this.#end(undefined);
    }, deadlineMs);
    // The channel first: its last acknowledgements go before its end, and its end is answered after them.
    const closing = (async () => {
      await this.#channel?.close();
      await this.#model.close();
    })();
    // What is closed already throws; the connection's own end is what counts.
    closing.catch(() => this.#model.close().catch(() => {}));
    await this.ended;
    clearTimeout(timer);
  }
}

async function withDeadline<T>(
  work: Promise<T>,
  address: AmqpAddress,
  deadlineMs: number,
  doing: string,
  signal?: AbortSignal,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => {
    const values = { address: formatHost(address), seconds: deadlineMs / 1000, doing };
    timer = setTimeout(() => reject(agentErrors.create("BROKER_TIMED_OUT", values)), deadlineMs);
    onAbort = () => reject(signal?.reason);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
  }
}

/** The only file that knows ioredis: one connection to Redis, which is not made again by itself. */
import type { Redis, RedisOptions } from "ioredis";
import { agentErrors } from "../../core/errors.ts";
import { openingOf, type RedisAddress } from "../broker-address.ts";
import { readBrokerTls } from "../broker-tls.ts";
import { explainRedisError, formatRedisPlace } from "./redis-errors.ts";

export interface RedisConnectOptions {
  /** How Redis lists the connection. */
  readonly name: string;
  /** Gives up at once when aborted while it is being opened. */
  readonly signal?: AbortSignal;
}

/** What Redis says about itself; undefined when it may not be asked. */
export interface RedisServerInfo {
  /** Another one after each start of the server. */
  readonly runId: string;
  /** Clients whose connection was cut, since the start, because more waited for them than their limit. Not of Redis 7.0. */
  readonly outputCuts: number | undefined;
  readonly role: string;
}

export interface RedisConnection {
  /** Resolves when it is over; with the reason, unless we closed it. */
  readonly ended: Promise<Error | undefined>;
  readonly server: RedisServerInfo | undefined;
  /** Whether its last bytes were not the end of a message: more was on its way when it ended. */
  readonly isCutShort: boolean;
  /** Messages of the channels that match, as bytes. Nothing but this can be asked on the connection afterwards. */
  subscribe(pattern: string, onMessage: (payload: Buffer) => void): Promise<void>;
  command(name: string, ...args: readonly (string | number)[]): Promise<unknown>;
  /** The items of a list as bytes. */
  range(key: string, from: number, to: number): Promise<Buffer[]>;
  /** Resolves when what was published up to now has been received, or `deadlineMs` is over. */
  unsubscribe(deadlineMs: number): Promise<void>;
  close(deadlineMs: number): Promise<void>;
}

const lineEnd = Buffer.from("\r\n");
const commandMs = 10_000;
/** A connection is given up when nothing came for two to three of these, the answers to our pings included. */
const watchEveryMs = 5000;

/** @throws BROKER_UNREACHABLE, BROKER_TIMED_OUT and the other errors of brokers. */
export async function openRedis(
  address: RedisAddress,
  options: RedisConnectOptions,
): Promise<RedisConnection> {
  const place = formatRedisPlace(address);
  // Not before there is a Redis: it takes seven megabytes.
  const ioredis = await import("ioredis");
  const redis = new ioredis.Redis(await redisOptions(address, options.name));
  const connection = new OpenConnection(redis, address);
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => {
    const values = {
      address: place,
      seconds: address.connectTimeoutMs / 1000,
      doing: openingOf(address),
    };
    timer = setTimeout(
      () => reject(agentErrors.create("BROKER_TIMED_OUT", values)),
      address.connectTimeoutMs,
    );
    onAbort = () => reject(options.signal?.reason);
    if (options.signal?.aborted === true) onAbort();
    options.signal?.addEventListener("abort", onAbort, { once: true });
  });
  const opening = connection.open();
  opening.catch(() => {});
  try {
    await Promise.race([opening, late]);
    return connection;
  } catch (error) {
    void connection.close(0);
    throw explainRedisError(connection.reason ?? (error as Error), address, false);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) options.signal?.removeEventListener("abort", onAbort);
  }
}

async function redisOptions(address: RedisAddress, name: string): Promise<Defined<RedisOptions>> {
  const { at, connectTimeoutMs, password, user, db } = address;
  const tls = address.tls === undefined ? undefined : await readBrokerTls(address.tls);
  const host = "host" in at ? at.host : undefined;
  return {
    ...placeOptions(address, tls),
    ...(tls !== undefined && {
      tls: {
        ...tls,
        ...(host !== undefined && /[a-z]/i.test(host) && !host.includes(":") ? { servername: host } : {}),
      },
    }),
    ...(user !== undefined && { username: user, password: "" }),
    ...(password !== undefined && { password: password.reveal() }),
    db,
    connectionName: name,
    connectTimeout: connectTimeoutMs,
    protocol: 2,
    lazyConnect: true,
    // We connect again ourselves, and count what may have been missed.
    retryStrategy: () => null,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    disconnectTimeout: 500,
    keepAlive: 30_000,
    noDelay: true,
  };
}

/** As the constructor wants them: no key there with the value undefined. */
type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

function placeOptions({ at }: RedisAddress, tls: object | undefined): Defined<RedisOptions> {
  if ("path" in at) return { path: at.path };
  if (!("sentinels" in at)) return { host: at.host, port: at.port };
  return {
    sentinels: at.sentinels.map(({ host, port }) => ({ host, port })),
    name: at.masterName,
    role: "master",
    sentinelRetryStrategy: () => null,
    sentinelCommandTimeout: 5000,
    ...(at.user !== undefined && { sentinelUsername: at.user }),
    ...(at.password !== undefined && { sentinelPassword: at.password.reveal() }),
    ...(tls !== undefined && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
  };
}

class OpenConnection implements RedisConnection {
  readonly ended: Promise<Error | undefined>;
  readonly #redis: Redis;
  readonly #address: RedisAddress;
  /** Why it fails, when something said so. */
  reason: Error | undefined;
  #server: RedisServerInfo | undefined;
  #isOpen = false;
  #isClosing = false;
  #unanswered = 0;
  #lastBytes: Buffer | undefined;
  readonly #end: (reason: Error | undefined) => void;

  constructor(redis: Redis, address: RedisAddress) {
    this.#redis = redis;
    this.#address = address;
    redis.on("error", (error: Error) => {
      this.reason ??= error;
    });
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    this.ended = promise;
    this.#end = resolve;
    redis.on("end", () => {
      const reason = this.reason ?? new Error("Connection is closed.");
      resolve(this.#isClosing ? undefined : explainRedisError(reason, address, this.#isOpen));
    });
  }

  get server(): RedisServerInfo | undefined {
    return this.#server;
  }

  get isCutShort(): boolean {
    return this.#lastBytes !== undefined && !this.#lastBytes.subarray(-2).equals(lineEnd);
  }

  async open(): Promise<void> {
    await this.#redis.connect();
    this.#redis.stream.on("data", (bytes: Buffer) => {
      this.#lastBytes = bytes;
    });
    if (this.reason !== undefined) throw this.reason;
    this.#server = await this.#ask();
    const at = this.#address.at;
    if ("sentinels" in at && this.#server !== undefined && this.#server.role !== "master") {
      const reason = `the server that they name for ${at.masterName} is a ${this.#server.role}`;
      throw agentErrors.create("BROKER_NOT_MASTER", { address: formatRedisPlace(this.#address), reason });
    }
    this.#isOpen = true;
    const watch = setInterval(() => this.#watch(), watchEveryMs);
    void this.ended.then(() => clearInterval(watch));
  }

  async #ask(): Promise<RedisServerInfo | undefined> {
    let text: string;
    try {
      text = await this.#redis.info();
    } catch (error) {
      // Without the right to ask we do without; anything else fails the connection.
      if (/^NOPERM/.test((error as Error).message)) return undefined;
      throw error;
    }
    const field = (name: string): string | undefined =>
      new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(text)?.[1];
    const cuts = field("client_output_buffer_limit_disconnections");
    return {
      runId: field("run_id") ?? "",
      outputCuts: cuts === undefined ? undefined : Number(cuts),
      role: field("role") ?? "master",
    };
  }

  /** Not by a timer per ping: after a pause of the process, answers that wait must be read before they are missed. */
  #watch(): void {
    if (this.#unanswered >= 2) {
      const values = {
        address: formatRedisPlace(this.#address),
        seconds: (2 * watchEveryMs) / 1000,
        doing: "to answer a ping",
      };
      this.reason ??= agentErrors.create("BROKER_TIMED_OUT", values);
      this.#redis.disconnect();
      return;
    }
    this.#unanswered++;
    this.#redis.ping().then(
      () => {
        this.#unanswered = 0;
      },
      () => {},
    );
  }

  async subscribe(pattern: string, onMessage: (payload: Buffer) => void): Promise<void> {
    this.#redis.on("pmessageBuffer", (_pattern: string, _channel: Buffer, payload: Buffer) => {
      this.#unanswered = 0;
      onMessage(payload);
    });
    await this.#bounded(this.#redis.psubscribe(pattern));
  }

  async unsubscribe(deadlineMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([this.#redis.punsubscribe().catch(() => {}), late]);
    clearTimeout(timer);
  }

  command(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
    return this.#bounded(this.#redis.call(name, ...args));
  }

  range(key: string, from: number, to: number): Promise<Buffer[]> {
    return this.#bounded(this.#redis.lrangeBuffer(key, from, to));
  }

  /** Its error has no stack of ioredis and not the command, which may hold a secret. */
  async #bounded<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const values = {
        address: formatRedisPlace(this.#address),
        seconds: commandMs / 1000,
        doing: "to answer",
      };
      timer = setTimeout(() => reject(agentErrors.create("BROKER_TIMED_OUT", values)), commandMs);
    });
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      throw explainRedisError(this.reason ?? (error as Error), this.#address, true);
    } finally {
      clearTimeout(timer);
      work.catch(() => {});
    }
  }

  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    this.#redis.disconnect();
    // ioredis destroys the socket half a second after it asked for the end.
    const timer = setTimeout(() => this.#end(undefined), Math.max(deadlineMs, 700));
    await this.ended;
    clearTimeout(timer);
  }
}

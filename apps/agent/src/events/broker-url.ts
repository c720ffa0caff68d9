import { Secret, suggestionText } from "@posthouse/service";
import { agentErrors } from "../core/errors.ts";
import type {
  AmqpAddress,
  BrokerAddress,
  BrokerList,
  BrokerTls,
  FailoverStrategy,
  HostAndPort,
  RedisAddress,
} from "./broker-address.ts";
import { type BrokerUrlParts, splitBrokerUrl } from "./broker-url-parts.ts";

const defaultConnectTimeoutMs = 10_000;
const defaultHeartbeatSeconds = 30;
const mostAddresses = 32;

interface Scheme {
  readonly kind: "amqp" | "redis" | "sentinel" | "socket";
  readonly tls: boolean;
}

const schemes = new Map<string, Scheme>([
  ["amqp", { kind: "amqp", tls: false }],
  ["amqps", { kind: "amqp", tls: true }],
  ["pyamqp", { kind: "amqp", tls: false }],
  ["librabbitmq", { kind: "amqp", tls: false }],
  ["redis", { kind: "redis", tls: false }],
  ["rediss", { kind: "redis", tls: true }],
  ["redis+socket", { kind: "socket", tls: false }],
  ["sentinel", { kind: "sentinel", tls: false }],
]);

const tlsOptions = ["ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"];
const channelOptions = ["global_keyprefix", "fanout_prefix", "fanout_patterns", "connect_timeout"];
const options: Readonly<Record<Scheme["kind"], readonly string[]>> = {
  amqp: ["ssl", ...tlsOptions, "heartbeat", "connect_timeout", "login_method"],
  redis: [...tlsOptions, ...channelOptions],
  socket: ["virtual_host", ...channelOptions],
  sentinel: [...tlsOptions, ...channelOptions, "master_name", "sentinel_username", "sentinel_password"],
};

/** The rule that an address breaks. It holds nothing of the address that may be secret. */
class Broken extends Error {}

/**
 * Reads the address of a broker as kombu does, several of them separated by `;`. Certificates are verified unless
 * `ssl_cert_reqs` says otherwise. `key` is how errors name the setting.
 *
 * @throws BROKER_URL_UNUSABLE
 */
export function parseBrokerUrls(
  text: string,
  key: string,
  strategy: FailoverStrategy = "round-robin",
): BrokerList {
  const texts = text.split(";").map((each) => each.trim());
  if (texts.length > 1 && texts.at(-1) === "") texts.pop();
  let which = "";
  try {
    if (texts.length > mostAddresses) throw new Broken(`it has more than ${mostAddresses} addresses`);
    const parsed = texts.map((each, index) => {
      which = texts.length === 1 ? "" : `address ${index + 1} of ${texts.length}: `;
      return parseOne(each);
    });
    which = "";
    return gather(parsed, strategy);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    throw agentErrors.create("BROKER_URL_UNUSABLE", { key, rule: `${which}${error.message}` });
  }
}

interface Sentinel extends Omit<RedisAddress, "at"> {
  readonly sentinel: HostAndPort;
  readonly masterName?: string | undefined;
  readonly sentinelUser?: string | undefined;
  readonly sentinelPassword?: Secret | undefined;
}

function isSentinel(address: BrokerAddress | Sentinel): address is Sentinel {
  return "sentinel" in address;
}

function gather(parsed: readonly (BrokerAddress | Sentinel)[], strategy: FailoverStrategy): BrokerList {
  const sentinels = parsed.filter(isSentinel);
  const [first] = sentinels;
  if (first !== undefined) {
    if (sentinels.length < parsed.length) throw new Broken("sentinel:// and other addresses cannot be mixed");
    return { kind: "redis", addresses: [behindSentinels(first, sentinels)], strategy };
  }
  const addresses = parsed.filter((each) => !isSentinel(each)) as BrokerAddress[];
  const amqp = addresses.filter((each) => each.kind === "amqp");
  const redis = addresses.filter((each) => each.kind === "redis");
  if (amqp.length > 0 && redis.length > 0) throw new Broken("RabbitMQ and Redis cannot stand in one list");
  return amqp.length > 0
    ? { kind: "amqp", addresses: amqp, strategy }
    : { kind: "redis", addresses: redis, strategy };
}

/** Database and credentials are those of the first Sentinel's address, as with kombu. */
function behindSentinels(first: Sentinel, all: readonly Sentinel[]): RedisAddress {
  const named = all.find(({ masterName }) => masterName !== undefined);
  if (named?.masterName === undefined)
    throw new Broken("Sentinels need to know which server: add ?master_name=NAME");
  const secured = all.find(({ sentinelPassword }) => sentinelPassword !== undefined);
  const {
    sentinel: _,
    masterName: _name,
    sentinelUser: _user,
    sentinelPassword: _password,
    ...address
  } = first;
  return {
    ...address,
    at: {
      sentinels: all.map(({ sentinel }) => sentinel),
      masterName: named.masterName,
      user: secured?.sentinelUser,
      password: secured?.sentinelPassword,
    },
  };
}

function parseOne(text: string): BrokerAddress | Sentinel {
  if (text === "") throw new Broken("it is empty");
  // What kombu takes for a host of RabbitMQ, with guest's credentials.
  const url = /^[\w.-]+(:\d+)?$/.test(text) ? `amqp://${text}` : text;
  const parts = split(url);
  const scheme = schemes.get(parts.scheme);
  if (scheme === undefined) {
    const near = suggestionText(parts.scheme, schemes.keys());
    const known = [...schemes.keys()].filter((each) => each !== "librabbitmq").join(", ");
    throw new Broken(`it must begin with one of ${known}, followed by ://${near}`);
  }
  for (const name of parts.query.keys()) {
    const known = options[scheme.kind];
    if (known.includes(name)) continue;
    // What looks like none may be the end of a password.
    if (!/^[a-z_]{1,30}$/.test(name))
      throw new Broken("after the ? only options may follow, as in ?heartbeat=30");
    throw new Broken(`there is no option "${name}" for ${parts.scheme}://${suggestionText(name, known)}`);
  }
  return scheme.kind === "amqp" ? amqpAddress(parts, scheme) : redisAddress(parts, scheme);
}

function split(url: string): BrokerUrlParts {
  const parts = splitBrokerUrl(url);
  if (typeof parts === "string") throw new Broken(parts);
  return parts;
}

function amqpAddress(parts: BrokerUrlParts, scheme: Scheme): AmqpAddress {
  const tls = readTls(parts, scheme.tls || readBoolean(parts, "ssl", false));
  const method = parts.query.get("login_method") ?? "PLAIN";
  if (method !== "PLAIN" && method !== "AMQPLAIN")
    throw new Broken("login_method must be PLAIN: user and password");
  return {
    kind: "amqp",
    host: parts.host ?? "localhost",
    port: parts.port ?? (tls === undefined ? 5672 : 5671),
    user: parts.user ?? "guest",
    password: new Secret(parts.password ?? "guest"),
    vhost: parts.path ?? "/",
    tls,
    heartbeatSeconds: Math.round(readSeconds(parts, "heartbeat", defaultHeartbeatSeconds, 0, 3600)),
    connectTimeoutMs: readConnectTimeout(parts),
  };
}

function redisAddress(parts: BrokerUrlParts, scheme: Scheme): RedisAddress | Sentinel {
  const isSocket = scheme.kind === "socket";
  const db = readDatabase(isSocket ? parts.query.get("virtual_host") : parts.path);
  const prefix = parts.query.get("fanout_prefix");
  const shared = {
    kind: "redis",
    user: parts.user,
    password: asSecret(parts.password),
    db,
    tls: readTls(parts, scheme.tls),
    connectTimeoutMs: readConnectTimeout(parts),
    globalKeyPrefix: parts.query.get("global_keyprefix") ?? "",
    fanoutPrefix: prefix === "false" ? "" : (prefix ?? "/{db}.").replaceAll("{db}", String(db)),
    fanoutPatterns: readBoolean(parts, "fanout_patterns", true),
  } as const;
  if (isSocket) {
    if (parts.host !== undefined || parts.path === undefined)
      throw new Broken("redis+socket:// needs an absolute path, as in redis+socket:///run/redis.sock");
    return { ...shared, at: { path: `/${parts.path}` } };
  }
  const isSentinel = scheme.kind === "sentinel";
  const at = { host: parts.host ?? "localhost", port: parts.port ?? (isSentinel ? 26379 : 6379) };
  if (!isSentinel) return { ...shared, at };
  return {
    ...shared,
    sentinel: at,
    masterName: parts.query.get("master_name"),
    sentinelUser: parts.query.get("sentinel_username"),
    sentinelPassword: asSecret(parts.query.get("sentinel_password")),
  };
}

function asSecret(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text);
}

function readDatabase(text: string | undefined): number {
  const number = (text ?? "").replace(/^\//, "").trim();
  if (number === "") return 0;
  if (!/^\d{1,6}$/.test(number))
    throw new Broken("the database must be a whole number, as in redis://host:6379/0");
  return Number(number);
}

function readTls(parts: BrokerUrlParts, isOn: boolean): BrokerTls | undefined {
  if (!isOn && !tlsOptions.some((name) => parts.query.has(name))) return undefined;
  const required = parts.query.get("ssl_cert_reqs") ?? "required";
  const verifies = certificateRules.get(required);
  if (verifies === undefined) throw new Broken("ssl_cert_reqs must be required, optional or none");
  return {
    verifies,
    checksHost: verifies && readBoolean(parts, "ssl_check_hostname", true),
    caFile: parts.query.get("ssl_ca_certs"),
    certFile: parts.query.get("ssl_certfile"),
    keyFile: parts.query.get("ssl_keyfile"),
  };
}

const certificateRules: ReadonlyMap<string, boolean> = new Map([
  ["required", true],
  ["optional", true],
  ["none", false],
  ["CERT_REQUIRED", true],
  ["CERT_OPTIONAL", true],
  ["CERT_NONE", false],
]);

function readBoolean(parts: BrokerUrlParts, name: string, otherwise: boolean): boolean {
  const text = parts.query.get(name)?.toLowerCase();
  if (text === undefined) return otherwise;
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw new Broken(`${name} must be true or false`);
}

function readConnectTimeout(parts: BrokerUrlParts): number {
  return readSeconds(parts, "connect_timeout", defaultConnectTimeoutMs / 1000, 0.1, 300) * 1000;
}

function readSeconds(
  parts: BrokerUrlParts,
  name: string,
  otherwise: number,
  least: number,
  most: number,
): number {
  const text = parts.query.get(name);
  if (text === undefined) return otherwise;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds >= least && seconds <= most)) throw new Broken(`${name} must be ${least} to ${most} seconds`);
  return seconds;
}

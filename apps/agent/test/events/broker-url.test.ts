import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AmqpAddress,
  Failover,
  formatBroker,
  type RedisAddress,
} from "../../src/events/broker-address.ts";
import { parseBrokerUrls } from "../../src/events/broker-url.ts";
import { channelPattern } from "../../src/events/redis/redis-channels.ts";

function amqp(url: string): AmqpAddress {
  const { addresses } = parseBrokerUrls(url, "broker");
  const [address] = addresses;
  if (address?.kind !== "amqp" || addresses.length > 1) throw new Error("expected one address of RabbitMQ");
  return address;
}

function redis(url: string): RedisAddress {
  const { addresses } = parseBrokerUrls(url, "broker");
  const [address] = addresses;
  if (address?.kind !== "redis" || addresses.length > 1) throw new Error("expected one address of Redis");
  return address;
}

function rule(url: string): string {
  try {
    parseBrokerUrls(url, "broker");
  } catch (error) {
    return (error as Error).message.replace("broker: this address of a broker cannot be used: ", "");
  }
  return "no error";
}

/** As kombu 5.2.4 reads them: host, port, user, password, vhost. */
const amqpAsKombu: readonly (readonly [string, string, number, string, string, string])[] = [
  ["amqp://", "localhost", 5672, "guest", "guest", "/"],
  ["amqp://h", "h", 5672, "guest", "guest", "/"],
  ["amqp://h/", "h", 5672, "guest", "guest", "/"],
  ["amqp://h//", "h", 5672, "guest", "guest", "/"],
  ["amqp://h///", "h", 5672, "guest", "guest", "//"],
  ["amqp://h/%2F", "h", 5672, "guest", "guest", "/"],
  ["amqp://h/%2f", "h", 5672, "guest", "guest", "/"],
  ["amqp://h/v", "h", 5672, "guest", "guest", "v"],
  ["amqp://h//v", "h", 5672, "guest", "guest", "/v"],
  ["amqp://h/%2Fv", "h", 5672, "guest", "guest", "/v"],
  ["amqp://h/a/b", "h", 5672, "guest", "guest", "a/b"],
  ["amqp://h/v/", "h", 5672, "guest", "guest", "v/"],
  ["amqp:///v", "localhost", 5672, "guest", "guest", "v"],
  ["amqp://h:/v", "h", 5672, "guest", "guest", "v"],
  ["amqp://u@h/v", "h", 5672, "u", "guest", "v"],
  ["amqp://:p@h/v", "h", 5672, "guest", "p", "v"],
  ["amqp://u:p@:1/v", "localhost", 1, "u", "p", "v"],
  ["amqp://u:p%40%2F@h/v%20x", "h", 5672, "u", "p@/", "v x"],
  ["amqp://u%3A:p%3A%25@h/", "h", 5672, "u:", "p:%", "/"],
  ["amqp://u:p+q@h/", "h", 5672, "u", "p+q", "/"],
  ["amqp://u:p@w@h/v", "h", 5672, "u", "p@w", "v"],
  ["amqp://u:%zz@h/v", "h", 5672, "u", "%zz", "v"],
  ["amqp://u:%C3%A4@h/%C3%A4", "h", 5672, "u", "ä", "ä"],
  ["amqp://u:p@[::1]:5672/v", "::1", 5672, "u", "p", "v"],
  ["amqp://u:p@h_x.y/v", "h_x.y", 5672, "u", "p", "v"],
  ["amqp://H.Example/v", "h.example", 5672, "guest", "guest", "v"],
  ["AMQP://h/v", "h", 5672, "guest", "guest", "v"],
  ["amqps://u:p@h/v", "h", 5671, "u", "p", "v"],
  ["pyamqp://u:p@h/v", "h", 5672, "u", "p", "v"],
  ["amqp://h/v?ssl=true", "h", 5671, "guest", "guest", "v"],
  ["localhost", "localhost", 5672, "guest", "guest", "/"],
];

const redisAsKombu: readonly (readonly [string, object])[] = [
  ["redis://", { at: { host: "localhost", port: 6379 }, db: 0 }],
  ["redis://h", { at: { host: "h", port: 6379 }, db: 0 }],
  ["redis://h//", { at: { host: "h", port: 6379 }, db: 0 }],
  ["redis://h/%2F", { at: { host: "h", port: 6379 }, db: 0 }],
  ["redis://h:1234/3", { at: { host: "h", port: 1234 }, db: 3 }],
  ["redis://h/ 1", { db: 1 }],
  ["rediss://h/1?ssl_cert_reqs=none", { at: { host: "h", port: 6379 }, db: 1, tls: { verifies: false } }],
  ["rediss://h/1?ssl_cert_reqs=CERT_REQUIRED", { tls: { verifies: true, checksHost: true } }],
  ["redis://h/0?ssl_ca_certs=/x/ca.pem", { tls: { caFile: "/x/ca.pem" } }],
  ["redis+socket:///run/redis.sock", { at: { path: "/run/redis.sock" }, db: 0 }],
  ["redis+socket://:p%40@/run/redis.sock?virtual_host=2", { at: { path: "/run/redis.sock" }, db: 2 }],
];

describe("the address of a broker", () => {
  it.each(amqpAsKombu)("%s of RabbitMQ is read as kombu does", (url, host, port, user, password, vhost) => {
    const address = amqp(url);
    expect([address.host, address.port, address.user, address.password.reveal(), address.vhost]).toEqual([
      host,
      port,
      user,
      password,
      vhost,
    ]);
  });

  it.each(redisAsKombu)("%s of Redis is read as kombu does", (url, expected) => {
    expect(redis(url)).toMatchObject(expected);
  });

  it("has user, password and options of Redis", () => {
    const address = redis("redis://u:p%40@h/2?global_keyprefix=a:&fanout_prefix=/x{db}.&connect_timeout=2.5");
    expect([address.user, address.password?.reveal()]).toEqual(["u", "p@"]);
    expect(address).toMatchObject({ globalKeyPrefix: "a:", fanoutPrefix: "/x2.", connectTimeoutMs: 2500 });
    expect(redis("redis://:p@h").user).toBeUndefined();
    expect(channelPattern(redis("redis://h/1"), "celeryev", "#")).toBe("/1.celeryev/*");
    expect(channelPattern(redis("redis://h/1?global_keyprefix=[a]"), "e*", "task.#")).toBe(
      "\\[a\\]/1.e\\*/task.*",
    );
  });

  it("joins Sentinels to one, with database and password of the first", () => {
    const address = redis(
      "sentinel://:pw@h1:26379/1;sentinel://h2;sentinel://h3:1/7?master_name=m&sentinel_password=s",
    );
    expect(address).toMatchObject({
      db: 1,
      at: {
        sentinels: [
          { host: "h1", port: 26379 },
          { host: "h2", port: 26379 },
          { host: "h3", port: 1 },
        ],
        masterName: "m",
      },
    });
    expect(address.password?.reveal()).toBe("pw");
  });

  it("can be a list, tried in turn or shuffled", () => {
    const list = parseBrokerUrls("amqp://a;amqp://b//;pyamqp://c;", "broker", "shuffle");
    expect(list.addresses.map(formatBroker)).toEqual([
      "amqp://guest@a:5672/%2F",
      "amqp://guest@b:5672/%2F",
      "amqp://guest@c:5672/%2F",
    ]);
    const inTurn = new Failover(["a", "b", "c"], "round-robin");
    const seen = Array.from({ length: 7 }, () => {
      const address = inTurn.current;
      inTurn.advance();
      return address;
    });
    expect(seen.join("")).toBe("abcabca");
    const shuffled = new Failover(["a", "b", "c"], "shuffle");
    const rounds = Array.from({ length: 50 }, () => {
      let round = "";
      do round += shuffled.current;
      while (!shuffled.advance());
      return round;
    });
    expect(rounds[0]).toBe("abc");
    for (const round of rounds) expect([...round].sort().join("")).toBe("abc");
    expect(new Set(rounds).size).toBeGreaterThan(1);
  });

  it.each([
    ["", "it is empty"],
    ["amqp://a;;amqp://b", "address 2 of 3: it is empty"],
    ["h/v", "it must begin with a scheme, as in amqp://user:password@host:5672/vhost"],
    ["ampq://h/v", /^it must begin with one of amqp, .*; did you mean "amqp"\?$/],
    ["sqs://", /^it must begin with one of/],
    ["amqp://h:abc/v", /only a colon and a port number/],
    ["amqp://h1:5672,h2:5672/v", /only a colon and a port number/],
    ["amqp://h:0/v", "the port must be 1 to 65535"],
    ["amqp://h:65536/v", "the port must be 1 to 65535"],
    ["amqp://u:p#w@h/v", "a # must be written as %23"],
    ["amqp://u:p/w@h/v", /must be written as %2F or %3F/],
    ["amqp://u:p?w@h/v", /must be written as %2F or %3F/],
    ["amqp://h x/v", "the host holds a space"],
    ["amqp://h/v?hartbeat=3", 'there is no option "hartbeat" for amqp://; did you mean "heartbeat"?'],
    ["amqp://h/v?heartbeat=-1", "heartbeat must be 0 to 3600 seconds"],
    ["amqp://h/v?heartbeat=1&heartbeat=2", 'the option "heartbeat" is there twice'],
    ["amqp://h/v?connect_timeout=0", "connect_timeout must be 0.1 to 300 seconds"],
    ["amqp://h/v?ssl=maybe", "ssl must be true or false"],
    ["amqp://h/v?login_method=EXTERNAL", "login_method must be PLAIN: user and password"],
    ["redis://h/abc", "the database must be a whole number, as in redis://host:6379/0"],
    ["redis://h/-1", "the database must be a whole number, as in redis://host:6379/0"],
    ["redis://h/0?db=1", 'there is no option "db" for redis://'],
    ["rediss://h?ssl_cert_reqs=yes", "ssl_cert_reqs must be required, optional or none"],
    ["redis+socket://host/path", /needs an absolute path/],
    ["redis+socket://", /needs an absolute path/],
    ["sentinel://h", "Sentinels need to know which server: add ?master_name=NAME"],
    ["sentinel://h?master_name=m;redis://h", "sentinel:// and other addresses cannot be mixed"],
    ["amqp://h;redis://h", "RabbitMQ and Redis cannot stand in one list"],
    [Array(33).fill("amqp://h").join(";"), "it has more than 32 addresses"],
  ])("%s is refused, with the rule", (url, expected) => {
    if (typeof expected === "string") expect(rule(url)).toBe(expected);
    else expect(rule(url)).toMatch(expected);
  });

  it("is read back as it was written, whatever user, password and vhost are", () => {
    const text = fc.string({ unit: "binary", minLength: 1 }).filter((each) => each.isWellFormed());
    fc.assert(
      fc.property(text, text, text, fc.integer({ min: 1, max: 65_535 }), (user, password, vhost, port) => {
        const e = encodeURIComponent;
        const address = amqp(`amqp://${e(user)}:${e(password)}@h:${port}/${e(vhost)}`);
        expect([address.user, address.password.reveal(), address.vhost, address.port]).toEqual([
          user,
          password,
          vhost,
          port,
        ]);
        expect(amqp(formatBroker(address))).toMatchObject({ user, vhost, port });
      }),
    );
  });

  it("is never shown with a password, whatever is wrong with it", () => {
    const secret = "sEcReT";
    const noise = fc.string({ unit: fc.constantFrom(..."/:@?#;%[] a1"), maxLength: 6 });
    const scheme = fc.constantFrom("amqp://", "redis://", "rediss://", "sentinel://", "amqp:/", "x://", "");
    fc.assert(
      fc.property(scheme, fc.array(noise, { minLength: 4, maxLength: 4 }), (start, [a, b, c, d]) => {
        const url = `${start}u${a}:${b}${secret}${c}@h${d}`;
        let shown: string;
        try {
          const { addresses } = parseBrokerUrls(url, "broker");
          // Before the first @ stands the user, and a password only behind its colon.
          const isPassword = addresses.every((each) => each.password?.reveal().includes(secret) === true);
          shown = isPassword
            ? `${addresses.map(formatBroker)} ${inspect(addresses)} ${JSON.stringify(addresses)}`
            : "";
        } catch (error) {
          shown = inspect(error);
        }
        expect(shown).not.toContain(secret);
      }),
      { numRuns: 2000 },
    );
  });
});

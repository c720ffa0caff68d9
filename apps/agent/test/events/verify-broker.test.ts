import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestAuthority } from "@posthouse/testkit/certificates";
import { type RabbitMq, startRabbitMq } from "@posthouse/testkit/rabbitmq";
import { type RedisServer, startRedis } from "@posthouse/testkit/redis";
import { freePort, needPackage } from "@posthouse/testkit/services";
import { until } from "@posthouse/testkit/until";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSubscription } from "../../src/config/leek-subscriptions.ts";
import { parseBrokerUrls } from "../../src/events/broker-url.ts";
import { verifySubscription } from "../../src/events/verification.ts";
import { type VerifyOptions, verifyBroker } from "../../src/events/verify-broker.ts";
import { rabbitMq, receiving, startPublisher, startSource, texts } from "./amqp-peer.ts";
import { receives, redis, redisTexts, startClient, startRedisSource } from "./redis-peer.ts";

const openssl = await needPackage("openssl", "openssl");
if ("missing" in openssl) console.warn(`NOT TESTED: ${openssl.missing}`);

function verify(url: string, changes: Partial<VerifyOptions> = {}): Promise<void> {
  const topology = { exchange: "celeryev", queue: "leek.fanout", routingKey: "#", quorum: false };
  return verifyBroker({ brokers: parseBrokerUrls(url, "broker"), ...topology, ...changes });
}

/** The error's code and text, without the hint. */
async function failure(url: string, changes: Partial<VerifyOptions> = {}): Promise<string> {
  const error = await verify(url, changes).then(
    () => new Error("no error"),
    (thrown: Error & { code?: string }) => thrown,
  );
  expect(error.stack).not.toContain("sEcReT");
  return `${"code" in error ? error.code : ""} ${error.message}`;
}

/** A server that says this to each client, and nothing more. */
async function startTalker(words: string | undefined): Promise<{ readonly port: number } & AsyncDisposable> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => words !== undefined && socket.write(words));
    socket.on("end", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

describe("a broker that is verified", () => {
  it.each(["amqp", "redis"])(
    "is told to be refused, unknown, silent or something else: %s",
    async (scheme) => {
      const port = await freePort();
      expect(await failure(`${scheme}://u:sEcReT@127.0.0.1:${port}`)).toBe(
        `BROKER_UNREACHABLE the broker at 127.0.0.1:${port} cannot be reached: nobody listens there (ECONNREFUSED)`,
      );
      expect(await failure(`${scheme}://u:sEcReT@no-such-host.invalid:1`)).toMatch(
        /^BROKER_UNREACHABLE .* no-such-host\.invalid:1 cannot be reached: the host name (is not known|cannot be looked up)/,
      );
      await using silent = await startTalker(undefined);
      expect(await failure(`${scheme}://u:sEcReT@127.0.0.1:${silent.port}?connect_timeout=0.3`)).toBe(
        `BROKER_TIMED_OUT the broker at 127.0.0.1:${silent.port} took longer than 0.3 s to open a connection`,
      );
      const expected = scheme === "amqp" ? "RabbitMQ" : "Redis";
      await using web = await startTalker("HTTP/1.1 400 Bad Request\r\n\r\nsEcReT");
      expect(await failure(`${scheme}://u:sEcReT@127.0.0.1:${web.port}?connect_timeout=5`)).toMatch(
        new RegExp(`^BROKER_NOT_ONE what answers at 127.0.0.1:${web.port} is no ${expected}: `),
      );
      const plain = scheme === "amqp" ? "amqps" : "rediss";
      expect(await failure(`${plain}://127.0.0.1:${web.port}`)).toMatch(
        /^BROKER_TLS_FAILED .* speaks no TLS that fits/,
      );
      expect(await failure(`${plain}://h?ssl_ca_certs=/nowhere/ca.pem`)).toBe(
        "TLS_FILE_UNREADABLE ssl_ca_certs: the file /nowhere/ca.pem cannot be read: ENOENT",
      );
    },
  );

  it("is no broker of the other kind", async () => {
    if (!("path" in redis)) return;
    await using server = await startRedis();
    expect(await failure(`amqp://127.0.0.1:${server.port}?connect_timeout=1`)).toMatch(
      /^BROKER_(NOT_ONE|TIMED_OUT)/,
    );
  });

  it("is gone with what Redis may repeat of a password", async () => {
    await using rude = await startTalker(
      "-ERR unknown command 'AUTH', with args beginning with: 'u' 'sEcReT'\r\n",
    );
    expect(await failure(`redis://u:sEcReT@127.0.0.1:${rude.port}`)).toMatch(
      /^BROKER_LOGIN_REFUSED .*\[hidden\]/,
    );
  });
});

describe.runIf("path" in rabbitMq && "path" in openssl)("a RabbitMQ that is verified", () => {
  let broker: RabbitMq;
  let folder: string;
  let tlsPort: number;

  beforeAll(async () => {
    if (!("path" in openssl)) return;
    folder = await mkdtemp(join(tmpdir(), "posthouse-verify-"));
    const authority = createTestAuthority(openssl.path, folder);
    const { cert, key } = authority.issue({ file: "broker", names: ["DNS:localhost"] });
    tlsPort = await freePort();
    broker = await startRabbitMq({
      config: [
        `listeners.ssl.1 = 127.0.0.1:${tlsPort}`,
        `ssl_options.cacertfile = ${authority.ca}`,
        `ssl_options.certfile = ${cert}`,
        `ssl_options.keyfile = ${key}`,
      ],
    });
  }, 180_000);
  afterAll(async () => {
    await broker?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  it("lets us in, or says why it does not", async () => {
    await verify(broker.url());
    expect(await failure(`amqp://guest:sEcReT@127.0.0.1:${broker.port}`)).toMatch(
      /^BROKER_LOGIN_REFUSED the broker at 127\.0\.0\.1:\d+ refuses the user guest: ACCESS_REFUSED - Login was refused/,
    );
    expect(await failure(broker.url("nowhere"))).toMatch(
      /^BROKER_VHOST_REFUSED .* does not open the vhost nowhere to the user guest: there is none of that name/,
    );
    await broker.ctl("add_user", "stranger", "sEcReT");
    expect(await failure(`amqp://stranger:sEcReT@127.0.0.1:${broker.port}//`)).toMatch(
      /^BROKER_VHOST_REFUSED .* does not open the vhost \/ to the user stranger: .* may not use it/,
    );
    expect(await failure(`amqp://127.0.0.1:${tlsPort}?connect_timeout=5`)).toMatch(
      /^BROKER_(NOT_ONE|CLOSED|TIMED_OUT) /,
    );
    expect(await failure(`amqps://127.0.0.1:${broker.port}`)).toMatch(/^BROKER_TLS_FAILED /);
  });

  it("is known by its certificate", async () => {
    const ca = `ssl_ca_certs=${join(folder, "ca.pem")}`;
    await verify(`amqps://localhost:${tlsPort}//?${ca}`);
    await verify(`amqps://127.0.0.1:${tlsPort}//?${ca}&ssl_check_hostname=false`);
    await verify(`amqps://127.0.0.1:${tlsPort}//?ssl_cert_reqs=none`);
    expect(await failure(`amqps://localhost:${tlsPort}`)).toMatch(/^BROKER_TLS_FAILED .*certificate/);
    expect(await failure(`amqps://127.0.0.1:${tlsPort}//?${ca}`)).toMatch(
      /^BROKER_TLS_FAILED .*ERR_TLS_CERT_ALTNAME/,
    );
    await using under = await startSource(`amqps://localhost:${tlsPort}//?${ca}`);
    await receiving(under);
    await using publisher = await startPublisher(broker);
    await publisher.publish(under.object, "encrypted");
    expect(await texts(under, 1)).toEqual(["encrypted"]);
  });

  it("has or makes what is to be consumed, or says why it cannot", async () => {
    await using publisher = await startPublisher(broker);
    await verify(broker.url(), { queue: "fresh" });
    await publisher.publish("celeryev", "one");
    expect((await publisher.queue("fresh")).messages).toBe(1);
    expect(await failure(broker.url(), { queue: "fresh", quorum: true })).toMatch(
      /^BROKER_OBJECT_DIFFERS .* the queue fresh .* leave quorum out/,
    );
    await publisher.declareExchange("straight", "direct");
    expect(await failure(broker.url(), { queue: "other", exchange: "straight" })).toMatch(
      /^BROKER_OBJECT_DIFFERS .* the exchange straight .*: its type is direct, and topic is needed/,
    );
    expect(await failure(broker.url(), { queue: "amq.gen-x" })).toMatch(
      /^BROKER_DENIED .*ACCESS_REFUSED .*amq\.gen-x/,
    );
  });

  it("is asked for no queue while the receiver refuses", async () => {
    const config = parseSubscription({
      ...{ broker: broker.url(), queue: "unwanted", app_name: "shop", app_env: "prod" },
      ...{ api_url: `http://127.0.0.1:${await freePort()}`, app_key: "k" },
    });
    await expect(verifySubscription(config)).rejects.toMatchObject({ code: "EVENTS_TARGET_UNREACHABLE" });
    expect(await broker.ctl("--quiet", "list_queues", "name")).not.toContain("unwanted");
  });

  it("may be any of a list", async () => {
    await verify(`amqp://127.0.0.1:${await freePort()};${broker.url()}`);
  });
});

describe.runIf("path" in redis && "path" in openssl)("a Redis that is verified", () => {
  let server: RedisServer;
  let folder: string;
  let tlsPort: number;

  beforeAll(async () => {
    if (!("path" in openssl)) return;
    folder = await mkdtemp(join(tmpdir(), "posthouse-verify-"));
    const authority = createTestAuthority(openssl.path, folder);
    const { cert, key } = authority.issue({ file: "redis", names: ["DNS:localhost"] });
    tlsPort = await freePort();
    server = await startRedis({
      config: [
        `tls-port ${tlsPort}`,
        `tls-cert-file ${cert}`,
        `tls-key-file ${key}`,
        `tls-ca-cert-file ${authority.ca}`,
        "tls-auth-clients no",
        "user default on >sEcReT ~* &* +@all",
        "user mute on >sEcReT ~* resetchannels +@all",
        "user reader on >sEcReT resetkeys &/0.celeryev/* +psubscribe +ping +select",
        `unixsocket ${join(folder, "redis.sock")}`,
      ],
    });
  }, 60_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  it("lets us in, or says why it does not", async () => {
    const at = `127.0.0.1:${server.port}`;
    await verify(`redis://:sEcReT@${at}/0`);
    await verify(`redis://reader:sEcReT@${at}/0`);
    await verify(`redis+socket://:sEcReT@${join(folder, "redis.sock")}`);
    expect(await failure(`redis://:sEcReT2@${at}/0`)).toMatch(
      /^BROKER_LOGIN_REFUSED .* user default: WRONGPASS/,
    );
    expect(await failure(`redis://${at}/0`)).toMatch(/^BROKER_LOGIN_REFUSED .*NOAUTH/);
    expect(await failure(`redis://:sEcReT@${at}/99`)).toMatch(/^BROKER_DENIED .*DB index is out of range/);
    expect(await failure(`redis://mute:sEcReT@${at}/0`)).toMatch(/^BROKER_DENIED .*NOPERM/);
    expect(await failure(`redis+socket:///nowhere/redis.sock`)).toBe(
      "BROKER_UNREACHABLE the broker at /nowhere/redis.sock cannot be reached: there is no such socket (ENOENT)",
    );
    // It waits for the rest of a command that it takes our greeting for.
    expect(await failure(`rediss://:sEcReT@${at}/0?connect_timeout=1`)).toMatch(
      /^BROKER_TIMED_OUT .* encrypted/,
    );
    expect(await failure(`redis://:sEcReT@127.0.0.1:${tlsPort}?connect_timeout=5`)).toMatch(
      /^BROKER_(NOT_ONE|CLOSED|TIMED_OUT) /,
    );
  });

  it("is known by its certificate", async () => {
    const ca = `ssl_ca_certs=${join(folder, "ca.pem")}`;
    await verify(`rediss://:sEcReT@localhost:${tlsPort}/0?${ca}`);
    await verify(`rediss://:sEcReT@127.0.0.1:${tlsPort}/0?ssl_cert_reqs=none`);
    expect(await failure(`rediss://:sEcReT@localhost:${tlsPort}/0`)).toMatch(
      /^BROKER_TLS_FAILED .*certificate/,
    );
    expect(await failure(`rediss://:sEcReT@127.0.0.1:${tlsPort}/0?${ca}`)).toMatch(
      /^BROKER_TLS_FAILED .*ALTNAME/,
    );
    await using under = await startRedisSource(`rediss://:sEcReT@localhost:${tlsPort}/0?${ca}`);
    await receives(under);
    const client = new Redis(server.port, "127.0.0.1", { password: "sEcReT" });
    await client.publish("/0.celeryev/task.sent", "encrypted");
    expect(await redisTexts(under, 1)).toEqual(["encrypted"]);
    client.disconnect();
    expect(JSON.stringify([under.lines, under.source.status])).not.toContain("sEcReT");
  });
});

describe.runIf("path" in redis)("Redis behind Sentinels", () => {
  it("is found, and found again when another server is the master", async () => {
    await using first = await startRedis();
    await using second = await startRedis({ config: [`replicaof 127.0.0.1 ${first.port}`] });
    await using sentinel = await startRedis({
      sentinel: true,
      config: [
        `sentinel monitor shop 127.0.0.1 ${first.port} 1`,
        "sentinel down-after-milliseconds shop 500",
        "sentinel failover-timeout shop 3000",
      ],
    });
    const nobody = await freePort();
    const url = `sentinel://127.0.0.1:${nobody};sentinel://127.0.0.1:${sentinel.port}/0?master_name=shop`;
    expect(await failure(url.replace("=shop", "=other"))).toMatch(
      /^BROKER_UNREACHABLE .* cannot be reached: .*/,
    );
    await verify(url);
    await using under = await startRedisSource(url);
    await receives(under);
    await using one = await startClient(first);
    await one.publish("/0.celeryev/task.sent", "first");
    await redisTexts(under, 1);
    await until("the replica is known", async () => sentinel.output().includes("+slave "));
    await first.kill();
    await until("the other is the master", async () => sentinel.output().includes("+switch-master"), 60_000);
    await until("it is noticed", async () => under.source.status.gaps > 0);
    await receives(under);
    await using two = await startClient(second);
    await until("it arrives", async () => Number(await two.publish("/0.celeryev/task.sent", "second")) > 0);
    expect(await redisTexts(under, 2)).toEqual(["first", "second"]);
  }, 120_000);
});

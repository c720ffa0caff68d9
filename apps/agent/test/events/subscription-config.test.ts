import { parseConfig } from "@posthouse/service";
import { describe, expect, it } from "vitest";
import {
  parseLeekSubscriptions,
  parseSubscription,
  splitDamagedList,
} from "../../src/config/leek-subscriptions.ts";
import { agentConfigSchema } from "../../src/index.ts";
import type { Json } from "./captures.ts";

const good: Json = {
  broker: "amqp://guest:geheim@rabbit:5672//",
  app_name: "shop",
  app_env: "prod",
  api_url: "https://leek.example.com",
  app_key: "key",
};

function problemOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return "none";
}

const problem = (changes: Json): string => problemOf(() => parseSubscription({ ...good, ...changes }));

describe("a subscription", () => {
  it("has Leek's defaults", () => {
    expect(parseSubscription(good)).toMatchObject({
      name: "shop-prod",
      exchange: "celeryev",
      queue: "leek.fanout",
      routing_key: "#",
      org_name: "mono",
      prefetch_count: 1000,
      concurrency_pool_size: 1,
      batch_max_size_in_mb: 1,
      batch_max_number_of_messages: 1000,
      batch_max_window_in_seconds: 5,
      failover_strategy: "round-robin",
    });
    expect(parseSubscription({ ...good, prefetch_count: 4000 }).batch_max_number_of_messages).toBe(4000);
  });

  it.each([
    ["prefetch_count", 1000, 10_000],
    ["concurrency_pool_size", 1, 20],
    ["batch_max_size_in_mb", 1, 10],
    ["batch_max_window_in_seconds", 5, 20],
  ])("keeps %s from %i to %i", (key, from, to) => {
    for (const value of [from, to])
      expect(parseSubscription({ ...good, [key]: value })).toHaveProperty(key, value);
    for (const value of [from - 1, to + 1, from + 0.5, String(from), null, true]) {
      const said = problem({ [key]: value });
      expect(said).toContain(`${key}: shop-prod: `);
      expect(said).toContain(`from ${from} to ${to}`);
    }
  });

  it("sends no more events at a time than the broker sends ahead", () => {
    const limits = { prefetch_count: 2000, batch_max_number_of_messages: 2000 };
    expect(parseSubscription({ ...good, ...limits }).batch_max_number_of_messages).toBe(2000);
    expect(problem({ ...limits, batch_max_number_of_messages: 2001 })).toContain(
      "at most prefetch_count, 2000",
    );
    expect(problem({ batch_max_number_of_messages: 0 })).toContain("batch_max_number_of_messages");
  });

  it.each(["Shop", "shop1", "shop-a", "shop_a", "", "sh op", "магазин"])(
    "refuses the application %j",
    (app_name) => {
      expect(problem({ app_name })).toMatch(/app_name: .*lower case letters/);
      expect(problem({ app_env: app_name })).toMatch(/app_env: .*lower case letters/);
    },
  );

  it("takes lower case letters of Latin-1, as headers do", () => {
    expect(parseSubscription({ ...good, app_name: "büro" }).name).toBe("büro-prod");
    expect(problem({ app_name: "a".repeat(300) })).toMatch(/: expected 100 letters at most$/);
  });

  it("refuses unknown keys, and says what was probably meant", () => {
    expect(problem({ prefech_count: 2000 })).toContain(
      'prefech_count: shop-prod: unknown key; did you mean "prefetch_count"?',
    );
    expect(problem({ webhook: { url: "http://a", secrt: "x" } })).toContain('did you mean "secret"?');
  });

  it("goes to a Leek API or to a webhook", () => {
    const { api_url: _url, app_key: _key, ...rest } = good;
    expect(problemOf(() => parseSubscription(rest))).toMatch(
      /api_url: shop-prod: is missing[\s\S]*app_key: shop-prod: is missing/,
    );
    expect(parseSubscription({ ...rest, webhook: { url: "http://a" } }).webhook).toMatchObject({
      format: "json",
    });
    expect(problem({ webhook: { url: "http://a" } })).toContain("not to both");
    for (const api_url of ["leek.example.com", "ftp://a", "http://user:pw@a"])
      expect(problem({ api_url })).toContain("api_url");
    expect(problem({ app_key: "a\nb" })).toContain("app_key");
    const shown = { url: "http://a/?token=[hidden]" };
    expect(problem({ api_url: undefined, app_key: undefined, webhook: shown })).toContain(
      "give the secret itself",
    );
  });

  it("names the rule that a broker's address breaks, and not the address", () => {
    for (const broker of [
      "amqp://a:geheim@b/c#d",
      "http://geheim",
      "redis://a;amqp://geheim",
      "sentinel://geheim/0",
    ]) {
      const said = problem({ broker });
      expect(said).toContain("broker: shop-prod: ");
      expect(said).not.toContain("geheim");
    }
    expect(problem({ broker: "redis://a/0", quorum: true })).toContain("quorum: shop-prod: is of RabbitMQ");
    expect(problem({ pair: true })).toContain("pair: shop-prod: is of Redis");
  });

  it("is named with file, line and column in our file", () => {
    const text = [
      "state: /tmp/x",
      "events:",
      "  subscriptions:",
      "    - app_name: shop",
      "      app_env: prod",
    ].join("\n");
    const said = problemOf(() => parseConfig(text, "agent.yaml", agentConfigSchema, {}));
    expect(said).toContain("agent.yaml:4:7  events.subscriptions[0].broker: is missing");
  });

  it("has its queue for itself in our file", () => {
    const subscriptions = [good, { ...good, app_env: "test" }];
    const text = JSON.stringify({ state: "/tmp/x", events: { subscriptions } });
    expect(problemOf(() => parseConfig(text, "agent.yaml", agentConfigSchema, {}))).toContain(
      "events.subscriptions[1].queue: the subscriptions shop-prod and shop-test both consume the queue leek.fanout at rabbit:5672, vhost /: each would get a part",
    );
  });
});

describe("Leek's list", () => {
  const read = (list: unknown, surroundings = {}) =>
    parseLeekSubscriptions(typeof list === "string" ? list : JSON.stringify(list), "THE_LIST", surroundings);

  it("is as Leek's documentation shows it", () => {
    const [one] = read([
      {
        ...good,
        broker_management_url: "http://rabbit:15672",
        backend: null,
        exchange: "celeryev",
        queue: "leek.fanout",
        routing_key: "#",
        org_name: "mono",
        prefetch_count: 1000,
        concurrency_pool_size: 2,
        batch_max_size_in_mb: 1,
        batch_max_number_of_messages: 1000,
        batch_max_window_in_seconds: 5,
      },
    ]);
    expect(one).toMatchObject({ name: "shop-prod", compat: "leek" });
    expect(read("[]")).toEqual([]);
  });

  it.each([
    ['{"app_name": "shop"}', "THE_LIST:1:1  expected a JSON list"],
    ['[{"app_name": "shop"', "THE_LIST:1:"],
    [JSON.stringify([good, good]), "there are two subscriptions shop-prod"],
    [
      JSON.stringify([
        { ...good, broker: "amqp://a//;amqp://B//" },
        { ...good, app_name: "bill", broker: "amqp://b/" },
      ]),
      "[1].queue: subscription bill-prod: the subscriptions shop-prod and bill-prod both consume the queue leek.fanout at b:5672, vhost /:",
    ],
    [
      JSON.stringify([{ ...good, prefetch_count: 5 }]),
      "[0].prefetch_count: subscription shop-prod: expected a whole number",
    ],
    [
      JSON.stringify([{ ...good, exchnge: 5 }]),
      '[0].exchnge: subscription shop-prod: unknown key; did you mean "exchange"?',
    ],
  ])("refuses %s", (text, wanted) => {
    expect(problemOf(() => read(text))).toContain(wanted);
  });

  it("may have several of one broker, each with a queue, a vhost or a Redis of its own", () => {
    const others = [
      { app_env: "a", queue: "other" },
      { app_env: "b", broker: "amqp://rabbit/shop" },
      { app_env: "c", broker: "amqp://rabbit:5673//" },
      { app_env: "d", broker: "redis://rabbit/0" },
      { app_env: "e", broker: "redis://rabbit/0" },
    ];
    expect(read([good, ...others.map((each) => ({ ...good, ...each }))])).toHaveLength(6);
  });

  it("takes a dollar for a dollar", () => {
    expect(read([{ ...good, app_key: "$" + "{HOME}" }])[0]?.app_key?.reveal()).toBe("$" + "{HOME}");
  });

  it("is told from what an older one left behind it", () => {
    const list = '[{"a": "]\\"", "b": [1]}]';
    expect(splitDamagedList(`${list}\n  }\n]`)).toEqual({ list, tail: "}\n]" });
    for (const text of [list, ` ${list} \n`, "[{", "", "{}", "x"])
      expect(splitDamagedList(text)).toBeUndefined();
  });
});

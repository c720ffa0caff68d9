/** Real Celery on real brokers, through a real agent process, to a fake Leek API. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needCelery, sendCeleryTasks, startCeleryWorker } from "@posthouse/testkit/celery";
import { type LeekApi, startLeekApi } from "@posthouse/testkit/leek-api";
import type { IndexedDocument } from "@posthouse/testkit/leek-index";
import { type PosthouseProcess, startPosthouse } from "@posthouse/testkit/posthouse-process";
import { needRabbitMq, startRabbitMq } from "@posthouse/testkit/rabbitmq";
import { needRedis, startRedis } from "@posthouse/testkit/redis";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const brokers = [
  { broker: "RabbitMQ", found: await needRabbitMq(), start: startRabbitMq, path: "" },
  { broker: "Redis", found: await needRedis(), start: startRedis, path: "/0" },
] as const;
const celery = await needCelery();
for (const found of [celery, ...brokers.map(({ found }) => found)])
  if ("missing" in found) process.stderr.write(`SKIPPED: events of real Celery; ${found.missing}\n`);

/** The keys of documents in the order of Leek's agent. */
const keys = [
  ...[
    "id",
    "app_env",
    "kind",
    "state",
    "clock",
    "updated_at",
    "timestamp",
    "exact_timestamp",
    "utcoffset",
    "pid",
  ],
  ...["uuid", "name", "name_parts", "args", "kwargs", ...Array.from({ length: 10 }, (_, at) => `args_${at}`)],
  ...[
    "kwargs_flattened",
    "result",
    "runtime",
    "root_id",
    "parent_id",
    "exchange",
    "routing_key",
    "queue",
    "eta",
  ],
  ...[
    "expires",
    "retries",
    "queued_at",
    "received_at",
    "started_at",
    "succeeded_at",
    "failed_at",
    "rejected_at",
  ],
  ...[
    "revoked_at",
    "retried_at",
    "terminated",
    "expired",
    "signum",
    "requeue",
    "exception",
    "traceback",
    "lang",
  ],
  ...[
    "error",
    "stack",
    "trace",
    "client",
    "worker",
    "hostname",
    "online_at",
    "offline_at",
    "last_heartbeat_at",
  ],
  ...["sw_ident", "sw_ver", "sw_sys", "processed", "active", "freq", "loadavg", "events", "events_count"],
];

describe.each(brokers)("Celery on $broker", ({ found, start, path }) => {
  const isSkipped = "missing" in found || "missing" in celery;
  const folder = mkdtemp(join(tmpdir(), "posthouse-celery-test-"));
  let broker: Awaited<ReturnType<typeof start>>;
  let api: LeekApi;
  let agent: PosthouseProcess;
  let ids: Readonly<Record<string, string>>;

  const task = (name: string): IndexedDocument | undefined => api.index.documents.get(ids[name] ?? "");
  const metric = async (series: string): Promise<number> => {
    const [line = ""] = agent.output().split("\n");
    const { admin } = JSON.parse(line) as { admin: string };
    const text = await (await fetch(`http://${admin}/metrics`)).text();
    return Number(
      text
        .split("\n")
        .find((each) => each.startsWith(`${series} `))
        ?.split(" ")
        .at(-1),
    );
  };

  beforeAll(async () => {
    if (isSkipped) return;
    broker = await start();
    api = await startLeekApi({ appKey: "the-key" });
    const url = (typeof broker.url === "string" ? broker.url : broker.url()) + path;
    const subscription = {
      broker: url,
      app_name: "capp",
      app_env: "prod",
      api_url: api.url,
      app_key: "the-key",
    };
    const config = {
      state: join(await folder, "state"),
      admin: { listen: "127.0.0.1:0" },
      events: { subscriptions: [subscription] },
    };
    const file = join(await folder, "agent.yaml");
    await writeFile(file, JSON.stringify(config));
    agent = startPosthouse(["agent", "-c", file]);
    await agent.printed(/"state":"receiving"/, 30_000);
    const worker = await startCeleryWorker(url);
    try {
      ids = await sendCeleryTasks(url);
      const names = Object.keys(ids);
      const isOver = (name: string) =>
        /SUCCEEDED|RECOVERED|FAILED|CRITICAL|REJECTED|REVOKED/.test(String(task(name)?.state));
      await until(`an end of each of ${names}`, () => Promise.resolve(names.every(isOver)), 60_000).catch(
        (error) => {
          throw new Error(
            `${error}: ${names.map((name) => `${name} ${task(name)?.state}`)}\n${worker.output()}`,
          );
        },
      );
      await worker.stop();
    } finally {
      await worker[Symbol.asyncDispose]();
    }
    await until("the worker is offline", async () => api.index.documents.get("w1@vm")?.state === "OFFLINE");
  }, 240_000);

  afterAll(async () => {
    agent?.signal("SIGKILL");
    await agent?.exited;
    await api?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
    await rm(await folder, { recursive: true, force: true });
  });

  it.skipIf(isSkipped)("gives each task the end that it had, with all that was told of it", () => {
    const run = { app_env: "prod", kind: "task", worker: "w1@vm", utcoffset: expect.any(Number) };
    const success = ["QUEUED", "RECEIVED", "STARTED", "SUCCEEDED"];
    const time = expect.any(Number);
    expect(task("success")).toMatchObject({
      ...run,
      state: "SUCCEEDED",
      name: "app.add",
      name_parts: { module: "app", function: "add" },
      args: "(4, 4)",
      args_0: "4",
      args_1: "4",
      kwargs: "{}",
      kwargs_flattened: {},
      result: "8",
      runtime: time,
      exchange: "",
      routing_key: "low",
      queue: "low",
      retries: 0,
      queued_at: time,
      received_at: time,
      started_at: time,
      succeeded_at: time,
      client: expect.stringMatching(/^gen\d+@/),
      events: expect.arrayContaining(success),
      events_count: 4,
    });
    expect(task("unicode")).toMatchObject({ state: "SUCCEEDED", args_0: "héllo wörld ☃ 😀" });
    expect(task("failure")).toMatchObject({
      state: "FAILED",
      lang: "python",
      exception: `ValueError("boom: it's broken")`,
      error: { type: "ValueError", message: "boom: it's broken" },
      stack: [],
      traceback: expect.stringMatching(/^Traceback \(most recent call last\):/),
      trace: { raw: expect.any(String), text: expect.any(String), wc: expect.any(String) },
    });
    expect(task("retries")).toMatchObject({
      state: "CRITICAL",
      retries: 2,
      failed_at: time,
      retried_at: time,
    });
    expect(task("recovered")).toMatchObject({ state: "RECOVERED", retries: 1, result: "'at last'" });
    expect(task("rejected")).toMatchObject({ state: "REJECTED", requeue: false, rejected_at: time });
    expect(task("nested")).toMatchObject({
      state: "SUCCEEDED",
      args_0: "(1, 2)",
      args_1: "[3, {'a': None}]",
      args_2: "1.5",
      args_3: "True",
      kwargs_flattened: {
        string: "it's",
        number: 12,
        "array.0": 3,
        "array.1": 9,
        "dictionary.f_name": "John",
        "dictionary.n.a": null,
      },
    });
    expect(task("eta")).toMatchObject({ state: "SUCCEEDED", eta: time, result: "3" });
    expect(task("truncated")).toMatchObject({ state: "SUCCEEDED", args: expect.stringMatching(/\.\.\./) });
    expect(task("unregistered")).toMatchObject({
      state: "FAILED",
      exception: expect.stringContaining("NotRegistered"),
    });
    expect(task("expired")).toMatchObject({ state: "REVOKED", expired: true, terminated: false });
    expect(task("revoked")).toMatchObject({ state: "REVOKED", expired: false, terminated: false });
    expect(task("terminated")).toMatchObject({
      state: "REVOKED",
      terminated: true,
      signum: expect.anything(),
    });
    const parent = ids.parent;
    const [child] = [...api.index.documents.values()].filter(({ parent_id }) => parent_id === parent);
    expect(child).toMatchObject({ name: "app.add", root_id: parent, state: "SUCCEEDED", result: "2" });
  });

  it.skipIf(isSkipped)("tells of the worker", () => {
    expect(api.index.documents.get("w1@vm")).toMatchObject({
      kind: "worker",
      state: "OFFLINE",
      hostname: "w1@vm",
      online_at: expect.any(Number),
      last_heartbeat_at: expect.any(Number),
      offline_at: expect.any(Number),
      sw_ident: "py-celery",
      freq: 2,
    });
  });

  it.skipIf(isSkipped)("posts documents of Leek's shape, with the headers of its agent", () => {
    for (const document of api.stored) {
      const shown = Object.keys(document);
      expect(shown).toEqual(keys.filter((key) => shown.includes(key)));
      expect(document.timestamp).toBe(Math.trunc(Number(document.exact_timestamp) * 1000));
      expect(Object.values(document)).not.toContain(null);
      const states = document.events as readonly string[] | undefined;
      if (states) expect(document.events_count).toBe(states.length);
    }
    const headers = api.posts[0]?.rawHeaders.join("\n").toLowerCase() ?? "";
    for (const line of [
      "x-requested-with\nleek-agent",
      "x-agent-version\n1.0.0",
      "x-leek-org-name\nmono",
      "x-leek-app-name\ncapp",
      "x-leek-app-key\nthe-key",
      "x-leek-app-env\nprod",
      "content-type\napplication/json",
    ])
      expect(headers).toContain(line);
  });

  it.skipIf(isSkipped)("delivers every event once, and makes none a dead letter", async () => {
    const events = api.stored.reduce((sum, { events_count }) => sum + Number(events_count), 0);
    const label = '{subscription="capp-prod"}';
    await until(
      "the figures are of the last events",
      async () => (await metric(`posthouse_events_out_total${label}`)) === events,
    );
    expect(await metric(`posthouse_events_in_total${label}`)).toBe(events);
    expect(await metric("posthouse_events_dead_letters")).toBe(0);
    expect(events).toBeGreaterThan(60);
  });
});

/** What a Leek API answers, and what is made of it. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { HttpFault } from "@posthouse/testkit/http-faults";
import { leekFault, startLeekApi } from "@posthouse/testkit/leek-api";
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createDocumentBatch } from "../../src/events/celery/batch.ts";
import type { ReceivedEvent } from "../../src/events/celery/received-event.ts";
import { readEvents } from "../../src/events/celery/received-event.ts";
import type { Sink, SinkOutcome } from "../../src/events/sinks/sink.ts";
import { amqp, capturedEvents, capturedMessages, taskEvent } from "./captures.ts";
import { leekApi, leekSink, numbered, numberedEvent, subject, upTo } from "./pipeline-harness.ts";

const forever = new AbortController().signal;

async function sendThree(sink: Sink): Promise<SinkOutcome> {
  const batch = sink.createBatch<ReceivedEvent>();
  for (const read of readEvents(amqp(upTo(3).map((clock) => numberedEvent(clock, 3))), {
    carryUnknown: true,
  }))
    if (read.kind === "event") batch.add(read, 1e6);
  return sink.send(await sink.prepare(batch.parts()), forever);
}

const text = (status: number, body: string): HttpFault => ({ kind: "status", status, body });

describe("an answer", () => {
  it.each<[string, HttpFault | undefined, object]>([
    ["201, all stored", undefined, { kind: "accepted" }],
    ["200, all stored", text(200, '{"success": 3}'), { kind: "accepted" }],
    ["201, fewer stored", leekFault.stores(2), { kind: "refused", isFinal: false }],
    ["201, none stored", leekFault.stores(0), { kind: "refused", isFinal: false }],
    ["201 Processed", leekFault.processed, { kind: "refused", isFinal: false }],
    ["201, more than was sent", leekFault.stores(4), { kind: "held" }],
    ["200 of another's page", text(200, "<html>Welcome</html>"), { kind: "held" }],
    ["201 without a body", text(201, ""), { kind: "held" }],
    ["204", text(204, ""), { kind: "held" }],
    ["302", { kind: "status", status: 302, headers: { location: "/login" } }, { kind: "held" }],
    ["400 for a header", leekFault.status(400), { kind: "held" }],
    [
      "400 for a document",
      text(400, '{"success":2,"failed":1,"errors":[]}'),
      { kind: "refused", isFinal: true },
    ],
    ["401", leekFault.status(401), { kind: "held", reason: expect.stringContaining("API Key is wrong") }],
    ["403", leekFault.status(403), { kind: "held" }],
    ["404", leekFault.status(404), { kind: "held", reason: expect.stringContaining("does not exist") }],
    ["405", leekFault.status(405), { kind: "held" }],
    ["409", leekFault.status(409), { kind: "refused", isFinal: false }],
    ["413", leekFault.status(413), { kind: "refused", isFinal: true }],
    ["422", leekFault.status(422), { kind: "refused", isFinal: true }],
    ["408", leekFault.status(408), { kind: "failed" }],
    ["429", leekFault.status(429, { "retry-after": "7" }), { kind: "failed", retryAfterMs: 7000 }],
    ["500", leekFault.status(500), { kind: "failed", mayBeContent: true }],
    ["502", leekFault.status(502), { kind: "failed", mayBeContent: false }],
    ["503", leekFault.status(503), { kind: "failed", reason: expect.stringContaining("Search backend") }],
    [
      "no answer",
      { kind: "hangs" },
      { kind: "failed", reason: "no answer within 0.2 s", mayBeContent: false },
    ],
    ["a reset", { kind: "resets" }, { kind: "failed", mayBeContent: true }],
    ["half an answer", { kind: "half" }, { kind: "failed" }],
    ["no HTTP", { kind: "garbage" }, { kind: "failed" }],
  ])("%s", async (_, fault, expected) => {
    const api = await leekApi();
    api.faults.plan(fault);
    expect(await sendThree(leekSink(api.url, { requestTimeoutMs: 200 }))).toMatchObject(expected);
  });

  it("of nobody is a failure with its reason", async () => {
    const api = await leekApi();
    await api[Symbol.asyncDispose]();
    const outcome = await sendThree(leekSink(api.url));
    expect(outcome).toMatchObject({ kind: "failed", reason: expect.stringContaining("ECONNREFUSED") });
  });

  it("that is endless is not read to its end", async () => {
    const api = await leekApi();
    api.faults.plan(text(503, "x".repeat(5_000_000)));
    expect(await sendThree(leekSink(api.url))).toMatchObject({ kind: "failed" });
  });
});

describe("a request", () => {
  it("has the headers of Leek's agent, exactly, over one connection", async () => {
    const api = await leekApi();
    const sink = leekSink(api.url, { connections: 1 });
    await sendThree(sink);
    await sendThree(sink);
    expect(api.connections).toBe(1);
    const [post] = api.posts;
    const { rawHeaders = [] } = post ?? {};
    const pairs = upTo(rawHeaders.length / 2).map((at) => rawHeaders.slice(2 * at, 2 * at + 2));
    expect(pairs.filter(([name]) => name !== "host" && name !== "content-length")).toEqual([
      ["connection", "keep-alive"],
      ["x-requested-with", "leek-agent"],
      ["x-agent-version", "1.0.0"],
      ["x-leek-org-name", "mono"],
      ["x-leek-app-name", "leek"],
      ["x-leek-app-key", "secret"],
      ["x-leek-app-env", "prod"],
      ["content-type", "application/json"],
    ]);
  });

  it("keeps the path before /v1, with or without a slash at its end", async () => {
    for (const end of ["", "/"]) {
      const api = await startLeekApi({ prefix: "/a/leek" });
      onTestFinished(() => api[Symbol.asyncDispose]());
      expect(await sendThree(leekSink(api.url + end))).toEqual({ kind: "accepted" });
    }
  });

  it("carries the name and the password of the address, and does not show them", async () => {
    const api = await leekApi();
    const sink = leekSink(api.url.replace("//", "//us%C3%A9r:p%3Aw@"));
    await sendThree(sink);
    const basic = `Basic ${Buffer.from("usér:p:w").toString("base64")}`;
    expect(api.posts[0]?.rawHeaders).toContain(basic);
    expect(sink.target).toBe(`${api.url}/v1/events/process`);
  });

  it("is compressed when that is allowed", async () => {
    const api = await leekApi();
    const events = await subject({ sink: leekSink(api.url, { gzip: true }) });
    await events.take(...numbered(50));
    await events.settled();
    expect(api.stored).toHaveLength(50);
    expect(api.posts[0]?.rawHeaders).toContain("gzip");
    expect(api.posts[0]?.bytes).toBeLessThan(5000);
  });
});

describe("the documents", () => {
  it("are those of the recorded events, one per task or worker", async () => {
    const api = await leekApi();
    const events = await subject({ sink: leekSink(api.url), maxEvents: 1000, windowMs: 60_000 });
    await events.take(...capturedMessages("rabbitmq"));
    await vi.waitFor(() => expect(events.pipeline.metrics().events).toBe(capturedEvents("rabbitmq").length));
    await events.pipeline.stop(5000);
    const expected = createDocumentBatch({ appEnv: "prod", now: () => 0 });
    for (const event of capturedEvents("rabbitmq")) expected.add(event, 1e9);
    const sent = api.stored.map((document) => ({ ...document, updated_at: 0 }));
    expect(sent).toEqual(JSON.parse(expected.body()));
  });
});

describe("any sequence of answers", () => {
  const codes = [400, 401, 404, 409, 413, 429, 500, 502, 503];
  const faults: readonly HttpFault[] = [
    ...codes.map((code) => leekFault.status(code)),
    // Not `stores(1)`: of a request with one document that would be a lie which nobody could notice.
    ...[leekFault.stores(0), leekFault.processed],
    ...(["resets", "silent", "half", "garbage"] as const).map((kind) => ({ kind })),
    { kind: "slow", delayMs: 20 },
  ];

  it("brings every task to its end, or keeps it as dead letters", async () => {
    const anyFaults = fc.array(fc.option(fc.constantFrom(...faults), { nil: undefined }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(anyFaults, fc.integer({ min: 1, max: 3 }), async (planned, concurrency) => {
        const api = await leekApi();
        api.faults.plan(...planned);
        const events = await subject({ sink: leekSink(api.url), concurrency, maxEvents: 11 });
        const types = ["task-sent", "task-received", "task-started", "task-succeeded"];
        for (const [clock, type] of types.entries())
          await events.take(
            amqp(
              upTo(20).map((n) => taskEvent({ uuid: `task-${n}`, type, clock, timestamp: 1.7e9 + clock })),
            ),
          );
        await events.settled();
        const dead = new Set(
          events.dead().map(({ record }) => `${JSON.parse(Buffer.from(record).toString("utf8", 1)).uuid}`),
        );
        for (const n of upTo(20)) {
          if (dead.has(`task-${n}`)) continue;
          const stamps = { queued_at: 1.7e12, received_at: 1.7e12 + 1000, succeeded_at: 1.7e12 + 3000 };
          expect(api.index.documents.get(`task-${n}`)).toMatchObject({ state: "SUCCEEDED", ...stamps });
        }
        const { delivered, dead: counted } = events.pipeline.metrics();
        expect(delivered + (counted.refused ?? 0)).toBe(80);
        await events.stop();
      }),
      { numRuns: 40 },
    );
  });
});

describe("201, but not all was stored", () => {
  it.each(["processed", "fewer", "conflict"] as const)(
    "%s: the one is found, the others arrive",
    async (answer) => {
      const api = await leekApi();
      api.poison = { is: ({ id }) => id === "task-613", answer };
      const events = await subject({ sink: leekSink(api.url), maxEvents: 1000, windowMs: 200 });
      await events.take(...numbered(900));
      await events.settled();
      expect(new Set(api.stored.map(({ id }) => id)).size).toBe(899);
      expect(events.dead()).toMatchObject([{ reason: "refused", detail: expect.stringMatching(/201|409/) }]);
      expect(Buffer.from(events.dead()[0]?.record ?? []).toString()).toContain('"task-613"');
      // What is sent again after a refusal is at most as much as the API stores at a time.
      for (const { documents } of api.posts.slice(1)) expect(documents.length).toBeLessThanOrEqual(500);
      expect(api.posts.length).toBeLessThan(40);
      expect(events.pipeline.metrics()).toMatchObject({ delivered: 899, dead: { refused: 1 } });
    },
  );

  it("by mere chance: nothing becomes a dead letter", async () => {
    const api = await leekApi();
    api.faults.plan(leekFault.stores(1), leekFault.processed, leekFault.stores(0), leekFault.status(409));
    const events = await subject({ sink: leekSink(api.url) });
    await events.take(...numbered(3));
    await events.settled();
    expect(new Set(api.stored.map(({ id }) => id)).size).toBe(3);
    expect(events.dead()).toEqual([]);
  });

  it("one of many events: all of its events are kept", async () => {
    const api = await leekApi();
    api.poison = { is: ({ id }) => id === "bad", answer: "processed" };
    const events = await subject({ sink: leekSink(api.url) });
    const states = ["task-sent", "task-received", "task-started"];
    await events.take(
      amqp(
        states.flatMap((type, clock) => [
          taskEvent({ uuid: "bad", type, clock }),
          taskEvent({ uuid: "good", clock }),
        ]),
      ),
    );
    await events.settled();
    expect(events.dead()).toHaveLength(3);
    expect(new Set(api.stored.map(({ id }) => id))).toEqual(new Set(["good"]));
  });
});

describe("413", () => {
  it("is sent in smaller pieces; what is too large alone is a dead letter", async () => {
    const api = await leekApi();
    api.maxBodyBytes = 10_000;
    const events = await subject({ sink: leekSink(api.url), maxEvents: 1000, windowMs: 100 });
    await events.take(...numbered(200), amqp(taskEvent({ uuid: "huge", result: "x".repeat(20_000) })));
    await events.settled();
    expect(new Set(api.stored.map(({ id }) => id)).size).toBe(200);
    expect(api.stored).toHaveLength(200);
    expect(events.dead()).toMatchObject([{ reason: "refused", detail: expect.stringContaining("413") }]);
  });
});

describe("500 whatever is tried, for one document", () => {
  it("is taken for the document's fault where all else works", async () => {
    const api = await leekApi();
    api.poison = { is: ({ id }) => id === "task-5", answer: "broken" };
    const events = await subject({ sink: leekSink(api.url), maxEvents: 8 });
    await events.take(...numbered(20));
    await events.settled();
    expect(new Set(api.stored.map(({ id }) => id)).size).toBe(19);
    expect(events.dead()).toMatchObject([{ detail: expect.stringContaining("500001") }]);
  });

  it("is an outage where the API says that it is not ready", async () => {
    const api = await leekApi();
    api.faults.always = leekFault.status(500);
    api.checkFaults.always = leekFault.status(503);
    const events = await subject({ sink: leekSink(api.url) });
    await events.take(...numbered(1));
    await vi.waitFor(() => expect(events.pipeline.metrics().requests["500"]).toBeGreaterThan(30), 10_000);
    expect(events.dead()).toEqual([]);
    api.faults.clear();
    await events.settled();
    expect(api.stored).toHaveLength(1);
  });
});

describe("an API that refuses everything", () => {
  it("makes dead letters slower and slower, not of all that there is", async () => {
    const api = await leekApi();
    api.faults.always = leekFault.status(409);
    const events = await subject({ sink: leekSink(api.url), delays: { failedMs: [20, 200] } });
    await events.take(...numbered(200));
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(events.dead().length).toBeLessThan(12);
    api.faults.clear();
    await events.settled();
    expect(new Set(api.stored.map(({ id }) => id)).size + events.dead().length).toBe(200);
  });
});

describe("a wrong key, or no application", () => {
  it.each([
    ["401", (api: { appKey: string }) => Object.assign(api, { appKey: "other" })],
    ["404", (api: { hasApplication: boolean }) => Object.assign(api, { hasApplication: false })],
  ] as const)("%s: held and shown, all kept, and delivered once it is right", async (code, spoil) => {
    const api = await leekApi();
    spoil(api);
    const events = await subject({ sink: leekSink(api.url), concurrency: 2 });
    await events.take(...numbered(50));
    await vi.waitFor(() => expect(events.pipeline.metrics().requests[code]).toBeGreaterThan(3));
    expect(events.pipeline.status).toMatchObject({
      state: "held",
      lastError: { message: expect.stringContaining(code) },
    });
    expect(events.spool.gauges().records).toBe(50);
    expect(events.dead()).toEqual([]);
    Object.assign(api, { appKey: "secret", hasApplication: true });
    await events.settled();
    expect(api.stored).toHaveLength(50);
    expect(events.pipeline.status.state).toBe("delivering");
  });
});

describe("when it is added", () => {
  it("is verified: address, application and key", async () => {
    const api = await leekApi();
    const sink = leekSink(api.url);
    await sink.verify(forever);
    expect(api.checks).toBe(2);
    api.appKey = "other";
    await expect(sink.verify(forever)).rejects.toMatchObject({
      code: "EVENTS_TARGET_REFUSES",
      message: expect.stringContaining("401"),
    });
    api.checkFaults.plan(leekFault.status(503));
    await expect(sink.verify(forever)).rejects.toThrow("503");
    await api[Symbol.asyncDispose]();
    await expect(sink.verify(forever)).rejects.toMatchObject({
      code: "EVENTS_TARGET_UNREACHABLE",
    });
  });

  it.each([
    [401, "check the key"],
    [404, "application must exist"],
    [301, "redirects are not followed"],
    [400, "check that the address"],
    [429, "try again later"],
    [500, "see its log"],
  ])("says what %i means", async (status, hint) => {
    const api = await leekApi();
    api.checkFaults.plan(leekFault.status(status), leekFault.status(status));
    await expect(leekSink(api.url).verify(forever)).rejects.toMatchObject({
      code: "EVENTS_TARGET_REFUSES",
      hint: expect.stringContaining(hint),
    });
  });

  it("is not taken for Leek's API when it answers otherwise", async () => {
    const server = createServer((_, answer) => answer.end("hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    await expect(leekSink(`http://127.0.0.1:${port}`).verify(forever)).rejects.toThrow(
      "200 with an answer that is not Leek's: hello",
    );
  });

  it("never shows the key", async () => {
    const api = await leekApi();
    expect(JSON.stringify(leekSink(api.url))).not.toContain("secret");
  });
});

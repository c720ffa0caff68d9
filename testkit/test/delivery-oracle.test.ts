/** The oracle of deliveries is asked about what it must notice. */
import { describe, expect, it } from "vitest";
import { type Arrival, Ledger } from "../src/delivery/ledger.ts";
import { modelOf } from "../src/delivery/model.ts";
import { createStory, postOf } from "../src/delivery/story.ts";
import { entityOf, Traffic } from "../src/delivery/traffic.ts";
import { judgeArrivals, judgeDeadLetters, judgeDocuments } from "../src/delivery/verdict.ts";
import type { IndexedDocument } from "../src/leek-index.ts";

const messages = 400;

/** All of it was sent and confirmed, and all of it arrived. */
function delivered() {
  const ledger = new Ledger();
  const traffic = new Traffic(5);
  const arrivals: Arrival[] = [];
  const letters: string[] = [];
  for (let index = 0; index < messages; index++) {
    const message = traffic.next();
    ledger.begin(message)("certain");
    if (message.isPoison) letters.push(message.body);
    else for (const event of message.events) arrivals.push({ id: `id-${event.clock}`, event });
  }
  const account = ledger.account();
  const documents = new Map<string, IndexedDocument>();
  for (const [entity, owed] of account.entities) {
    const model = modelOf(
      owed.map(({ event }) => event),
      "test",
    );
    if (model !== undefined) documents.set(entity, { ...model, updated_at: 1 });
  }
  return { ledger, account, arrivals, letters, documents };
}

function changed(arrivals: readonly Arrival[], at: number, change: object): Arrival[] {
  return arrivals.map((arrival, index) =>
    index === at ? { ...arrival, event: { ...arrival.event, ...change } } : arrival,
  );
}

describe("a sink that does not merge", () => {
  const { account, arrivals } = delivered();
  const last = arrivals.at(-1) as Arrival;
  const [first] = arrivals as [Arrival];
  const again = arrivals.findIndex(({ event }) => event.uuid !== undefined);

  function swapped(): Arrival[] {
    const { uuid } = (arrivals[again] as Arrival).event;
    const next = arrivals.findIndex(({ event }, at) => at > again && event.uuid === uuid);
    return arrivals.with(again, arrivals[next] as Arrival).with(next, arrivals[again] as Arrival);
  }

  it("may come in another order when RabbitMQ lost its consumers twice in between", () => {
    const atMs = performance.now() + 1000;
    const late = swapped().map((arrival) => ({ ...arrival, atMs }));
    const judge = (...ends: number[]) => judgeArrivals(account, late, { consumersEnded: ends });
    expect(judge(atMs - 2, atMs - 1)).toMatchObject({ reordered: 1, problems: [] });
    expect(judge(0, atMs - 1, atMs + 1)).toMatchObject({ reordered: 0, problems: [expect.any(String)] });
  });

  it("is as it must be when each event arrived, and when one came twice", () => {
    expect(judgeArrivals(account, arrivals)).toMatchObject({ duplicates: 0, problems: [] });
    expect(judgeArrivals(account, [...arrivals, first, last])).toMatchObject({ duplicates: 2, problems: [] });
  });

  it.each<[string, () => Arrival[]]>([
    ["1 × did not arrive", () => arrivals.toSpliced(100, 1)],
    ["1 × arrived as another", () => changed(arrivals, 100, { pid: 8 })],
    ["1 × arrived as another", () => changed(arrivals, 100, { more: true })],
    [
      "1 × arrived and was never sent",
      () => [...arrivals, { id: "x", event: { ...first.event, clock: -1 } }],
    ],
    ["1 × came again with another id", () => [...arrivals, { ...first, id: "x" }]],
    ["1 × came after a later one of its task", swapped],
  ])("tells: %s", (problem, change) => {
    const { problems } = judgeArrivals(account, change());
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });
});

describe("Leek's API", () => {
  const { account, documents } = delivered();
  const [id, document] = [...documents].find(([, { state }]) => state === "SUCCEEDED") as [
    string,
    IndexedDocument,
  ];
  const judge = (change: IndexedDocument | undefined) => {
    const others = new Map(documents);
    if (change === undefined) others.delete(id);
    else others.set(id, change);
    return judgeDocuments(account, others, "test");
  };

  it("is as it must be when it holds what the model holds, some of it counted twice", () => {
    expect(judge(document)).toMatchObject({ duplicates: 0, problems: [] });
    expect(judge({ ...document, events_count: Number(document.events_count) + 2 })).toMatchObject({
      duplicates: 2,
      problems: [],
    });
  });

  it.each<[string, () => IndexedDocument | undefined]>([
    ["missing", () => undefined],
    ["state", () => ({ ...document, state: "STARTED" })],
    ["started_at", () => ({ ...document, started_at: undefined })],
    ["result", () => ({ ...document, result: "another" })],
    ["events_count", () => ({ ...document, events_count: Number(document.events_count) - 1 })],
    ["events", () => ({ ...document, events: ["SUCCEEDED"] })],
  ])("tells of a wrong document: %s", (what, change) => {
    const { problems } = judge(change());
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`is not as the model has it:\\n  ${id}: .*${what}`));
  });

  it("tells of a document that nobody sent", () => {
    const others = new Map(documents).set("nobody", document);
    expect(judgeDocuments(account, others, "test").problems[0]).toContain("nothing that was sent");
  });
});

describe("dead letters", () => {
  const { account, arrivals, letters } = delivered();

  it("are those that cannot be delivered, and no others", () => {
    expect(letters.length).toBeGreaterThan(3);
    expect(judgeDeadLetters(account, letters)).toEqual([]);
    expect(judgeDeadLetters(account, letters.slice(1))[0]).toContain("neither delivered nor a dead letter");
    const good = JSON.stringify(arrivals[3]?.event);
    expect(judgeDeadLetters(account, [...letters, good])[0]).toContain("can be delivered");
  });
});

describe("what is excused", () => {
  it("is only what was sent in the time before a kill, and is counted", async () => {
    const ledger = new Ledger();
    const traffic = new Traffic(6);
    for (let index = 0; index < 20; index++) ledger.begin(traffic.next())("certain");
    const atMs = performance.now();
    const nothing: Arrival[] = [];
    expect(judgeArrivals(ledger.account(), nothing).problems).toHaveLength(1);
    ledger.excuses.push({ reason: "kill -9", atMs, fromMs: atMs - 5000, toMs: atMs });
    const { problems, excused } = judgeArrivals(ledger.account(), nothing);
    expect(problems).toEqual([]);
    expect(excused.get("kill -9")?.events).toBeGreaterThanOrEqual(20);
    const later = performance.now() + 1;
    while (performance.now() <= later);
    const message = traffic.next();
    ledger.begin(message)("certain");
    expect(judgeArrivals(ledger.account(), nothing).problems[0]).toContain(
      `${message.events.length} × did not`,
    );
  });

  it("leaves a document that any of the uncertain events may have reached", () => {
    const ledger = new Ledger();
    const traffic = new Traffic(7);
    const sent = Array.from({ length: 60 }, () => traffic.next());
    for (const message of sent) ledger.begin(message)("uncertain");
    const account = ledger.account();
    const [event] = sent.flatMap(({ events, isPoison }) => (isPoison ? [] : events));
    if (event === undefined) throw new Error("nothing was sent");
    const document = modelOf([event], "test") as IndexedDocument;
    expect(judgeDocuments(account, new Map(), "test").problems).toEqual([]);
    expect(judgeDocuments(account, new Map([[entityOf(event), document]]), "test").problems).toEqual([]);
    const wrong = { ...document, clock: 0 };
    expect(judgeDocuments(account, new Map([[entityOf(event), wrong]]), "test").problems).toHaveLength(1);
  });
});

describe("the story of a problem", () => {
  const { ledger, account, arrivals, documents } = delivered();
  const [missing] = arrivals.toSpliced(0, 100) as [Arrival];
  const entity = String(missing.event.uuid ?? missing.event.hostname);
  const sentMs = account.events.get(Number(missing.event.clock))?.sentMs ?? Number.NaN;
  ledger.excuses.push({ reason: "kill -9", fromMs: sentMs - 1300, toMs: sentMs - 1000, atMs: sentMs - 1100 });
  const startMs = sentMs - 5000;
  const there = arrivals.toSpliced(100, 1).map((arrival) => ({ ...arrival, atMs: sentMs + 500, life: 3 }));
  const story = createStory({
    ...{ startMs, account, excuses: ledger.excuses, arrivals: there },
    happenings: [{ atMs: sentMs + 100, what: "a fault begins" }],
    posts: [postOf({ id: entity, state: "QUEUED", events: ["QUEUED"] }, sentMs + 700, 4)],
  });

  it("says when what is missing was sent, what is beside it, and what went on", () => {
    const [problem = ""] = judgeArrivals(account, there, { story }).problems;
    expect(problem).toContain(`number ${missing.event.clock}\n    ${missing.event.clock} `);
    expect(problem).toMatch(/arrived: never\n/);
    expect(problem).toMatch(/arrived: 5\.500 s in life 3\n/);
    expect(problem).toContain("5.100 s: a fault begins");
    expect(problem).toContain("excuse from 3.700 s to 4.000 s: kill -9");
  });

  it("says what Leek's API got of a document", () => {
    const others = new Map(documents);
    others.delete(entity);
    const [problem = ""] = judgeDocuments(account, others, "test", story).problems;
    expect(problem).toContain('posted at 5.700 s in life 4: QUEUED of undefined, ["QUEUED"]');
  });
});

/** What clients see, and what is left behind, when backends and clients fail at every moment. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  type BackendFault,
  backendFaults,
  largeBody,
  startFaultyBackend,
} from "@posthouse/testkit/faulty-backend";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import {
  type ClientFault,
  type ClientOutcome,
  type ClientRequest,
  clientFaults,
  runClient,
} from "@posthouse/testkit/vanishing-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProxyParts, startProxyParts } from "./parts.ts";

type Backend = Awaited<ReturnType<typeof startFaultyBackend>>;

const timeouts = { connect: "2s", first_byte: "300ms", idle: "300ms", client: "300ms", tunnel: "300ms" };

let backend: Backend;
let proxy: ProxyParts;

beforeAll(async () => {
  backend = await startFaultyBackend();
  proxy = await startProxyParts({
    faulty: { upstreams: [`http://127.0.0.1:${backend.port}`], timeouts },
    // What a backend sends too much in the very moment of the next request is that one's answer, for any proxy.
    alone: { upstreams: [`http://127.0.0.1:${backend.port}`], timeouts, connections: { idle: 0 } },
    refusing: { upstreams: ["http://127.0.0.1:1"], timeouts },
  });
});

const warnings: Error[] = [];
const onWarning = (warning: Error): unknown => warnings.push(warning);
process.on("warning", onWarning);

afterAll(async () => {
  process.off("warning", onWarning);
  await proxy?.[Symbol.asyncDispose]();
  await backend?.[Symbol.asyncDispose]();
});

const ask = (request: Partial<ClientRequest>): Promise<ClientOutcome> =>
  runClient({
    port: proxy.port,
    host: "faulty",
    path: "answers",
    method: "GET",
    upgrade: false,
    fault: "stays",
    patienceMs: 50,
    ...request,
  });

/** Everything that a request may hold is given back; connections that are kept are idle. */
async function expectNothingHeld(): Promise<void> {
  const held = (): object => ({
    running: [...proxy.forwards.values()].map(({ deadlines }) => deadlines.size),
    busy: pools().map(({ open, idle, waiting }) => open - idle + waiting),
    clients: proxy.http.open.value,
  });
  const nothing = { running: [0, 0, 0], busy: [0, 0, 0], clients: 0 };
  await until("nothing is held", async () => JSON.stringify(held()) === JSON.stringify(nothing), 2000).catch(
    () => {},
  );
  expect(held()).toEqual(nothing);
}

const pools = () =>
  [...proxy.forwards.values()].flatMap(({ upstreams }) => upstreams.map(({ pool }) => pool));

/** What a client that stays may see: the status, and whether the answer is whole. */
const seen: Readonly<Record<BackendFault, readonly string[]>> = {
  answers: ["200 whole"],
  "answers at length": ["200 whole"],
  "answers in chunks": ["200 whole"],
  "answers until it closes": ["200 whole"],
  "answers and closes": ["200 whole"],
  "answers and closes soon": ["200 whole"],
  "answers and resets": ["200 whole"],
  "answers before it has the body": ["200 whole"],
  "switches protocols": ["101 whole"],
  "switches and resets": ["101 whole", "101 cut", "502 whole"],
  hangs: ["504 whole"],
  // 502 where the connection was about to be closed for the request before.
  "hangs within the head": ["504 whole", "502 whole"],
  "hangs within the body": ["200 cut"],
  "hangs within a chunk": ["200 cut"],
  "closes without a word": ["502 whole"],
  "resets without a word": ["502 whole"],
  "resets at the head": ["502 whole"],
  "closes within the head": ["502 whole"],
  "closes within the body": ["200 cut"],
  "closes within a chunk": ["200 cut"],
  "resets within the body": ["200 cut", "502 whole"],
  "resets a large answer": ["200 cut", "502 whole"],
  "sends garbage": ["502 whole"],
  "sends garbage chunks": ["200 cut", "none whole"],
  "sends too little": ["200 cut"],
  "sends too much": ["200 whole"],
  "sends too much later": ["200 whole"],
  "sends two answers": ["200 whole"],
  "sends a head without end": ["502 whole"],
};

function summary({ received, stuck }: ClientOutcome): string {
  if (stuck) return "stuck";
  const [, status = "none"] = /^HTTP\/1\.1 (\d{3})/.exec(received) ?? [];
  const end = received.indexOf("\r\n\r\n");
  const [head, body] = [received.slice(0, end), received.slice(end + 4)];
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  if (status === "101") return body.startsWith("hello") ? "101 whole" : "101 cut";
  if (length !== undefined && body.length !== Number(length)) return `${status} cut`;
  if (/^transfer-encoding: chunked/im.test(head) && !body.endsWith("0\r\n\r\n")) return `${status} cut`;
  if (status === "200" && !["ok", largeBody, "2\r\nok\r\n0\r\n\r\n"].includes(body))
    return `${status} other: ${body.slice(0, 40)}`;
  return `${status} whole`;
}

/** These close connections a little after their answer: what comes next must not meet one of them in that moment. */
const closesLater = (fault: BackendFault): boolean =>
  ["answers and closes", "answers and closes soon", "answers and resets"].includes(fault);

const hostOf = (fault: BackendFault): string => (fault === "sends too much later" ? "alone" : "faulty");
const isUpgrade = (fault: BackendFault): boolean => fault.startsWith("switches");

describe("a backend that", () => {
  it.each(backendFaults)("%s", async (path) => {
    const upgrade = isUpgrade(path);
    const methods = upgrade ? (["GET"] as const) : (["GET", "POST"] as const);
    for (const method of methods) {
      expect(seen[path], method).toContain(summary(await ask({ path, method, upgrade, host: hostOf(path) })));
      await expectNothingHeld();
      if (closesLater(path)) await until("the backend has closed", async () => backend.open === 0);
    }
  });

  it("refuses connections", async () => {
    expect(summary(await ask({ host: "refusing" }))).toBe("502 whole");
    expect(summary(await ask({ host: "refusing", method: "POST" }))).toBe("502 whole");
    await expectNothingHeld();
  });
});

describe("a client that", () => {
  it.each(clientFaults)("%s", async (fault) => {
    const paths: BackendFault[] = ["answers", "answers at length", "hangs", "hangs within the body"];
    for (const path of paths)
      for (const method of ["GET", "POST"] as const) {
        expect((await ask({ path, method, fault })).stuck, `${method} ${path}`).toBe(false);
        await expectNothingHeld();
      }
    expect((await ask({ path: "switches protocols", upgrade: true, fault })).stuck).toBe(false);
    await expectNothingHeld();
  });
});

describe("a connection whose request failed while its body came", () => {
  it.each<[BackendFault | "refusing", string]>([
    ["refusing", "502"],
    ["resets at the head", "502"],
    ["hangs", "504"],
    ["answers before it has the body", "200"],
  ])("carries the next one: %s", async (fault, status) => {
    const host = fault === "refusing" ? fault : "faulty";
    const upload = "u".repeat(1_000_000);
    const bytes = [
      `POST /${encodeURIComponent(fault)} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${upload.length}\r\n\r\n${upload}`,
      "GET /answers HTTP/1.1\r\nHost: faulty\r\nConnection: close\r\n\r\n",
    ];
    const text = await exchangeBytes(proxy.port, bytes.join(""));
    expect([...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, each]) => each)).toEqual([status, "200"]);
    await expectNothingHeld();
  });
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const mixed = { requests: 10_000, atOnce: 48, seed: 20_261_121 };

/** xorshift32: the same numbers for the same seed, from 0 to below 1. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

describe("ten thousand mixed faults", () => {
  it("leave nothing behind", { timeout: 240_000 }, async () => {
    const random = createRandom(mixed.seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    const before = resources();
    const wrong: string[] = [];
    const heap: number[] = [];
    let begun = 0;
    let ended = 0;

    async function lane(): Promise<void> {
      while (begun < mixed.requests) {
        begun += 1;
        const path = pick(backendFaults);
        const isRefused = random() < 0.03;
        const method = isUpgrade(path) ? "GET" : pick(["GET", "GET", "POST", "PUT"] as const);
        const fault = random() < 0.5 ? "stays" : pick(clientFaults);
        const host = isRefused ? "refusing" : hostOf(path);
        const upgrade = isUpgrade(path);
        const outcome = await ask({ path, method, fault, host, upgrade, patienceMs: 20 });
        const problem = problemOf(outcome, { path, method, fault, isRefused });
        if (problem !== undefined) wrong.push(problem);
        ended += 1;
        if (ended % 250 === 0) {
          collect();
          heap.push(process.memoryUsage().heapUsed);
        }
      }
    }

    await Promise.all(Array.from({ length: mixed.atOnce }, lane));
    await expectNothingHeld();
    expect(wrong).toEqual([]);
    expect(warnings).toEqual([]);
    for (const pool of pools()) pool.closeIdle();
    await until("backends and pools have no connections", async () => backend.open + openInPools() === 0);
    await until(
      `no more handles than before: ${JSON.stringify([before, resources()])}`,
      async () =>
        resources().TCPSocketWrap <= before.TCPSocketWrap && resources().Timeout <= before.Timeout + 1,
    );
    const quarter = heap.length / 4;
    const [second, last] = [heap.slice(quarter, 2 * quarter), heap.slice(3 * quarter)];
    expect(Math.min(...last) - Math.min(...second), heap.join(" ")).toBeLessThan(2 * 2 ** 20);
  });
});

const openInPools = (): number => pools().reduce((sum, { open }) => sum + open, 0);

function resources(): { TCPSocketWrap: number; Timeout: number } {
  const active = process.getActiveResourcesInfo();
  const count = (name: string): number => active.filter((each) => each === name).length;
  return { TCPSocketWrap: count("TCPSocketWrap"), Timeout: count("Timeout") };
}

interface Mixed {
  readonly path: BackendFault;
  readonly method: string;
  readonly fault: ClientFault;
  readonly isRefused: boolean;
}

/** What must hold whatever else goes on; undefined when it does. */
function problemOf(outcome: ClientOutcome, { path, method, fault, isRefused }: Mixed): string | undefined {
  const found = summary(outcome);
  const said = `${method} to a backend that ${path}, from a client that ${fault}: ${found}`;
  if (found === "stuck") return said;
  if (fault !== "stays") return undefined;
  if (isRefused) return found === "502 whole" ? undefined : said;
  // A body that was begun cannot be sent again when the backend ends the connection just then.
  if (method !== "GET" && found === "502 whole") return undefined;
  // Everything runs in one process here, so that any wait may end too late.
  if (found === "504 whole" || found === "408 whole") return undefined;
  return seen[path].includes(found) ? undefined : said;
}

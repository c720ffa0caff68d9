/** Insights behind a real flags listener with a queue on disk, and an evaluation server that answers as it is told. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { createSecret } from "@posthouse/testkit/featbit/secrets";
import type { Dump } from "@posthouse/testkit/featbit/shapes";
import { type FlagsConfig, flagsSchema } from "../../../src/config/flags.ts";
import { createMetrics } from "../../../src/core/metrics.ts";
import { createInsights, type Insights } from "../../../src/flags/insights/insights.ts";
import { createFlagsListener } from "../../../src/flags/listener.ts";
import { createFlagMetrics } from "../../../src/flags/metrics.ts";
import { createHttpCounters } from "../../../src/http/http-metrics.ts";
import { createNode1Server } from "../../../src/http/node1.ts";
import { parseDump } from "../../../src/replica/featbit/dump.ts";
import { createFlagStore, type FlagStore } from "../../../src/replica/featbit/flag-store.ts";
import { collectLog } from "../../harness.ts";

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  readonly events: any[];
  readonly status: number;
}

export interface EventServer extends AsyncDisposable {
  readonly url: string;
  readonly received: Received[];
  /** Status and, perhaps, Retry-After of the next answers; 0 resets the connection. */
  answer: (request: Omit<Received, "status">) => number | readonly [number, string];
  /** Events of requests that were taken. */
  taken(): unknown[];
}

export async function startEventServer(): Promise<EventServer> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const events = JSON.parse(Buffer.concat(pieces).toString()) as unknown[];
      const what = { path: request.url ?? "", headers: request.headers, events };
      const answer = events_.answer(what);
      const [status, retryAfter] = typeof answer === "number" ? [answer] : answer;
      received.push({ ...what, status });
      if (status === 0) request.socket.resetAndDestroy();
      else response.writeHead(status, retryAfter === undefined ? {} : { "retry-after": retryAfter }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const events_: EventServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: () => 200,
    taken: () => received.filter(({ status }) => status === 200).flatMap(({ events }) => events),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return events_;
}

export interface InsightsHarness extends AsyncDisposable {
  readonly insights: Insights;
  readonly store: FlagStore;
  readonly url: string;
  readonly spools: string;
  readonly entries: Record<string, unknown>[];
  track(events: unknown, key?: string): Promise<number>;
  post(init: RequestInit): Promise<Response>;
  metric(series: string): Promise<number>;
  configure(settings: Readonly<Record<string, unknown>>): void;
}

const [item] = exampleDump().items;
export const secretOf = (type: string): string =>
  item?.secrets.find((each) => each.type === type)?.value ?? "";
export const otherEnvId = "11111111-2222-3333-4444-555555555555";
export const otherKey: string = createSecret(otherEnvId);

/** An event as SDKs send it, with this number in it. */
export const eventOf = (number: number, keyId = `u-${number}`): object => ({
  user: { keyId, name: `Name ${number}`, customizedProperties: [{ name: "n", value: String(number) }] },
  variations: [
    {
      featureFlagKey: "banner-text",
      sendToExperiment: true,
      timestamp: 1_740_902_400_000 + number,
      variation: { id: "b-a", value: "Welcome" },
    },
  ],
});

export async function startInsights(
  settings: Readonly<Record<string, unknown>>,
  spools?: string,
): Promise<InsightsHarness> {
  const { log, entries } = collectLog();
  const metrics = createMetrics();
  const flagMetrics = createFlagMetrics(metrics);
  const store = createFlagStore({ log });
  const parse = (insights: Readonly<Record<string, unknown>>): FlagsConfig =>
    flagsSchema.parse({ listen: "127.0.0.1:0", mode: "manual", api_key: "rp-this-agent", insights });
  const config = parse(settings);
  const folder = spools ?? (await mkdtemp(join(tmpdir(), "posthouse-insights-")));
  const insights = createInsights(config.insights, {
    spools: folder,
    store,
    metrics: flagMetrics.insights,
    log,
  });
  const listener = createFlagsListener(config, { store, metrics: flagMetrics, log });
  listener.configure(config, undefined, insights.track);
  const server = createNode1Server({
    name: "flags",
    listen: config.listen,
    role: {
      handler: listener.handler,
      counters: createHttpCounters(metrics)("flags"),
      limits: config.limits,
    },
    log,
  });
  store.replace(parseDump(dumpWithTwo()), "upstream");
  await insights.start();
  await listener.start();
  await server.start();
  const url = `http://127.0.0.1:${server.address?.port}`;
  const post = (init: RequestInit): Promise<Response> =>
    fetch(`${url}/api/public/insight/track`, { method: "POST", ...init });
  return {
    insights,
    store,
    url,
    spools: folder,
    entries,
    post,
    async track(events, key = secretOf("server")) {
      const headers = { "content-type": "application/json", authorization: key };
      return (await post({ headers, body: JSON.stringify(events) })).status;
    },
    async metric(series) {
      const line = (await metrics.text()).split("\n").find((each) => each.startsWith(`${series} `));
      return Number(line?.slice(series.length + 1) ?? 0);
    },
    configure: (next) => insights.configure(parse(next).insights),
    async [Symbol.asyncDispose]() {
      await server.stop(1000);
      await listener.stop(1000);
      await insights.stop(4000);
      if (spools === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The example, and an environment `shop:test` without flags. */
function dumpWithTwo(): Dump {
  const dump = exampleDump();
  const secret = {
    type: "server",
    projectKey: "shop",
    envId: otherEnvId,
    envKey: "test",
    value: otherKey,
  } as const;
  return {
    ...dump,
    items: [...dump.items, { envId: otherEnvId, secrets: [secret], featureFlags: [], segments: [] }],
  };
}

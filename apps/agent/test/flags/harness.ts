/** A flags job behind a real listener, with a store that the test fills, and raw WebSockets to it. */
import { setTimeout as sleep } from "node:timers/promises";
import { pressSync } from "@posthouse/testkit/featbit/portal-sync";
import type { FeatbitUser } from "@posthouse/testkit/featbit/shapes";
import { encodeToken } from "@posthouse/testkit/featbit/token";
import { type Environment, FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { WebSocket } from "ws";
import { type FlagsConfig, flagsSchema } from "../../src/config/flags.ts";
import { createMetrics, type Metrics } from "../../src/core/metrics.ts";
import { createFlagsListener, type FlagsListener } from "../../src/flags/listener.ts";
import { createFlagMetrics } from "../../src/flags/metrics.ts";
import { createHttpCounters } from "../../src/http/http-metrics.ts";
import { createNode1Server, type HttpServer } from "../../src/http/node1.ts";
import { parseDump } from "../../src/replica/featbit/dump.ts";
import { createFlagSource, type FlagSource } from "../../src/replica/featbit/flag-source.ts";
import { createFlagStore, type FlagStore } from "../../src/replica/featbit/flag-store.ts";
import { collectLog } from "../harness.ts";

export interface FlagsHarness extends AsyncDisposable {
  readonly listener: FlagsListener;
  readonly store: FlagStore;
  readonly source: FlagSource;
  readonly server: HttpServer;
  readonly url: string;
  /** What the store is filled with by `sync` and `load`. */
  readonly world: FeatbitWorld;
  readonly entries: Record<string, unknown>[];
  /** Gives the store all of the world, as upstream does, or from a copy on disk. */
  load(source?: "upstream" | "person" | "disk"): void;
  /** The same over HTTP, as FeatBit's back-end does. */
  sync(): Promise<number | undefined>;
  metric(series: string): Promise<number>;
  open(query: string): Promise<RawSdk>;
  /** Opens with the first secret of this type. */
  connect(type: "server" | "client", environment?: Environment): Promise<RawSdk>;
}

export const apiKey = "rp-this-agent";

export interface FlagsHarnessOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly world?: FeatbitWorld;
}

export async function startFlags(options: FlagsHarnessOptions = {}): Promise<FlagsHarness> {
  const { log, entries } = collectLog();
  const metrics: Metrics = createMetrics();
  const store = createFlagStore({ log });
  const config: FlagsConfig = flagsSchema.parse({
    listen: "127.0.0.1:0",
    mode: "manual",
    api_key: apiKey,
    ...options.config,
  });
  const listener = createFlagsListener(config, { metrics: createFlagMetrics(metrics), log, store });
  const state = "/nowhere";
  // Not started: the test is the source.
  const source = createFlagSource({ config, agentName: "test", state, store, log });
  listener.configure(config, source);
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
  await listener.start();
  await server.start();
  const world = options.world ?? new FeatbitWorld();
  const url = `http://127.0.0.1:${server.address?.port}`;
  const opened: RawSdk[] = [];
  const harness: FlagsHarness = {
    listener,
    source,
    store,
    server,
    url,
    world,
    entries,
    load: (source = "upstream") => void store.replace(parseDump(structuredClone(dumpOf(world))), source),
    sync: async () => (await pressSync(world, url, keyOf(world))).status,
    async metric(series) {
      const line = (await metrics.text()).split("\n").find((each) => each.startsWith(`${series} `));
      return Number(line?.slice(series.length + 1) ?? 0);
    },
    async open(query) {
      const sdk = new RawSdk(`${url.replace("http", "ws")}/streaming?${query}`);
      opened.push(sdk);
      await sdk.opened;
      return sdk;
    },
    connect(type, environment = firstEnvironment(world)) {
      const secret = environment.secrets.find((each) => each.type === type)?.value ?? "";
      return harness.open(`type=${type}&token=${encodeToken(secret)}`);
    },
    async [Symbol.asyncDispose]() {
      for (const { socket } of opened) socket.terminate();
      await server.stop(1000);
      await listener.stop(1000);
    },
  };
  return harness;
}

function keyOf(world: FeatbitWorld): string {
  world.addRelayKey(undefined, apiKey);
  return apiKey;
}

const dumpOf = (world: FeatbitWorld): unknown => world.dump(keyOf(world));

function firstEnvironment(world: FeatbitWorld): Environment {
  const [item] = world.dump(keyOf(world)).items;
  return world.environment(item?.envId ?? "");
}

/** A WebSocket that keeps what it was told. */
export class RawSdk {
  readonly socket: WebSocket;
  readonly messages: string[] = [];
  readonly opened: Promise<void>;
  /** Code and reason. */
  readonly closed: Promise<readonly [number, string]>;
  #read = 0;

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.on("message", (data) => this.messages.push(String(data)));
    this.opened = new Promise((resolve, reject) => {
      this.socket.on("open", () => resolve());
      this.socket.on("error", reject);
    });
    this.closed = new Promise((resolve) =>
      this.socket.on("close", (code, reason) => resolve([code, String(reason)])),
    );
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The next message that was not read yet, as it came. */
  async next(withinMs: number = 5000): Promise<string> {
    const end = performance.now() + withinMs;
    while (this.messages.length <= this.#read) {
      if (performance.now() > end) throw new Error("no message came");
      await sleep(5);
    }
    return this.messages[this.#read++] ?? "";
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  async nextData(): Promise<any> {
    return JSON.parse(await this.next()).data;
  }

  /** Asks for what is newer. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  sync(timestamp: number, user?: FeatbitUser): Promise<any> {
    this.send({ messageType: "data-sync", data: { timestamp, ...(user && { user }) } });
    return this.nextData();
  }

  /** Whether nothing more comes: a ping is answered next. */
  async isQuiet(): Promise<boolean> {
    this.send('{"messageType":"ping","data":null}');
    return (await this.next()) === '{"messageType":"pong","data":{}}';
  }
}

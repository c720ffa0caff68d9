import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFakeFeatbit, type FakeFeatbit } from "@posthouse/testkit/featbit/fake";
import { makeFlags } from "@posthouse/testkit/featbit/generate";
import type { Dump } from "@posthouse/testkit/featbit/shapes";
import { dumpDifferences } from "@posthouse/testkit/featbit/truth";
import type { Environment } from "@posthouse/testkit/featbit/world";
import { flagSourceSchema } from "../../src/config/flag-source.ts";
import {
  createFlagSource,
  type FlagSource,
  type FlagSourceOptions,
} from "../../src/replica/featbit/flag-source.ts";
import { createFlagStore, type FlagStore } from "../../src/replica/featbit/flag-store.ts";
import { createBackup } from "../../src/replica/featbit/manual.ts";
import { collectLog } from "../harness.ts";

export const fastTiming: FlagSourceOptions["timing"] = {
  backoff: { firstMs: 20, maxMs: 100 },
  refusedMs: 300,
  soonMs: 100,
  steadyMs: 50,
  debounceMs: 10,
  retryMs: 50,
  pollMs: 50,
};

export interface SourceOptions {
  readonly directory: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly timing?: FlagSourceOptions["timing"];
  /** One that another source filled. */
  readonly store?: FlagStore;
}

export interface RunningSource {
  readonly source: FlagSource;
  readonly store: FlagStore;
  readonly entries: Record<string, unknown>[];
}

/** Not started. */
export function makeSource({ directory, config, timing, ...options }: SourceOptions): RunningSource {
  const { log, entries } = collectLog();
  const store = options.store ?? createFlagStore({ log });
  const source = createFlagSource({
    config: flagSourceSchema.parse(config),
    agentName: "agent-1",
    state: directory,
    store,
    log,
    timing: { ...fastTiming, ...timing },
  });
  return { source, store, entries };
}

/** A FeatBit with one environment of ten flags, its key, a state directory, and agents' sources that all end with it. */
export class Bench implements AsyncDisposable {
  readonly featbit: FakeFeatbit;
  readonly directory: string;
  readonly environment: Environment;
  readonly key: string;
  readonly #sources: FlagSource[] = [];

  private constructor(featbit: FakeFeatbit, directory: string) {
    this.featbit = featbit;
    this.directory = directory;
    const { featureFlags: flags, segments } = makeFlags(10);
    this.environment = featbit.world.addEnvironment({ flags, segments, serverSecrets: 2 });
    this.key = featbit.world.addRelayKey();
  }

  static async create(): Promise<Bench> {
    return new Bench(await createFakeFeatbit(), await mkdtemp(join(tmpdir(), "posthouse-flags-")));
  }

  get world(): FakeFeatbit["world"] {
    return this.featbit.world;
  }

  /** Starts a source in mode auto; it heals every second, unless told otherwise. */
  async start(
    options: Partial<Pick<SourceOptions, "directory" | "timing" | "store">> & {
      readonly config?: SourceOptions["config"];
    } = {},
  ): Promise<RunningSource> {
    const { directory = this.directory, timing, store } = options;
    const config = {
      streaming_uri: this.featbit.streamingUrl,
      api_key: this.key,
      full_sync_every: "1s",
      ping_every: "300ms",
      ...options.config,
    };
    const running = makeSource({
      directory,
      config,
      ...(timing && { timing }),
      ...(store && { store }),
    });
    this.#sources.push(running.source);
    await running.source.start();
    return running;
  }

  /** Changes a flag as somebody at the portal does. */
  change(name: string = "flag-0"): void {
    const { envId } = this.environment;
    this.world.patchFlag(envId, name, { isEnabled: !this.world.flag(envId, name).isEnabled });
  }

  /** Where the copy differs from FeatBit now. */
  differences({ store }: Pick<RunningSource, "store">): string[] {
    return dumpDifferences(this.world.dump(this.key), backupOf(store));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const source of this.#sources) await source.stop(2000);
    await this.featbit[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export const backupOf = (store: FlagStore): Dump => createBackup(store.state) as unknown as Dump;

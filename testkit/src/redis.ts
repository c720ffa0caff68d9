import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PeerProcess, startPeer } from "./peer-process.ts";
import { type Found, freePort, needPackage } from "./services.ts";

export interface RedisOptions {
  /** Lines of its redis.conf beside those of its address. */
  readonly config?: readonly string[];
  /** Watches other servers instead of keeping data. */
  readonly sentinel?: boolean;
  /** Default: one that was free a moment ago. */
  readonly port?: number;
}

/** A Redis of our own: its own folder and port, on loopback only, nothing kept on disk. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The end of what it logged. */
  output(): string;
  stop(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port; it is empty. */
  start(): Promise<void>;
}

export function needRedis(): Promise<Found> {
  return needPackage("redis-server", "redis-server");
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-redis-"));
  const port = options.port ?? (await freePort());
  const file = join(folder, "redis.conf");
  let server: PeerProcess | undefined;

  async function start(): Promise<void> {
    if (server !== undefined) return;
    const keepsNothing = ['save ""', "appendonly no"];
    const lines = [
      `port ${port}`,
      "bind 127.0.0.1",
      `dir ${folder}`,
      ...(options.sentinel === true ? [] : keepsNothing),
      ...(options.config ?? []),
    ];
    await writeFile(file, `${lines.join("\n")}\n`);
    const args = [file, ...(options.sentinel === true ? ["--sentinel"] : [])];
    server = await startPeer({ command: "redis-server", args, port });
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    server = undefined;
    if (signal === "SIGKILL") ending?.signal(signal);
    await ending?.stop();
  }

  async function dispose(): Promise<void> {
    await end("SIGKILL");
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }

  try {
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    output: () => server?.output() ?? "",
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    start,
    [Symbol.asyncDispose]: dispose,
  };
}

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PosthouseProcess, startPosthouse } from "./posthouse-process.ts";

export interface FlagsAgentOptions {
  /** Where its configuration and its state are; made when missing. */
  readonly folder: string;
  /** The key `flags` of its configuration; listens at any port unless told. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/** A real agent process that serves flags. */
export interface FlagsAgent extends AsyncDisposable {
  readonly process: PosthouseProcess;
  /** `http://127.0.0.1:PORT` for SDKs. */
  readonly url: string;
  /** `ws://127.0.0.1:PORT` */
  readonly streamingUrl: string;
  readonly admin: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  status(): Promise<any>;
  /** Value of a metric by its name and labels as they are written; 0 when there is none. */
  metric(series: string): Promise<number>;
  /** Writes other settings and has them read. */
  reload(flags: FlagsAgentOptions["flags"]): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/** Starts `posthouse agent` with flags and waits until it listens, not until it has any. */
export async function startFlagsAgent({ folder, flags }: FlagsAgentOptions): Promise<FlagsAgent> {
  const file = join(folder, "agent.yaml");
  const write = (settings: FlagsAgentOptions["flags"]): Promise<void> =>
    writeFile(
      file,
      JSON.stringify({
        name: "flags-agent",
        state: join(folder, "state"),
        log: { level: "info" },
        admin: { listen: "127.0.0.1:0" },
        flags: { listen: "127.0.0.1:0", ...settings },
      }),
    );
  await mkdir(folder, { recursive: true });
  await write(flags);
  const process = startPosthouse(["agent", "-c", file]);
  const [line = ""] = await process.printed(/^.*"agent started".*$/m, 30_000);
  const { admin, flags: address } = JSON.parse(line) as { admin: string; flags: string };
  const get = (path: string): Promise<Response> =>
    fetch(`http://${admin}${path}`, { signal: AbortSignal.timeout(10_000) });
  const stop = (signal: NodeJS.Signals = "SIGTERM"): Promise<number> => {
    process.signal(signal);
    return process.exited;
  };
  return {
    process,
    url: `http://${address}`,
    streamingUrl: `ws://${address}`,
    admin: `http://${admin}`,
    status: async () => (await get("/status")).json(),
    async metric(series) {
      const text = await (await get("/metrics")).text();
      const line = text.split("\n").find((each) => each.startsWith(`${series} `));
      return Number(line?.slice(series.length + 1) ?? 0);
    },
    async reload(settings) {
      await write(settings);
      process.signal("SIGHUP");
    },
    stop,
    [Symbol.asyncDispose]: async () => void (await stop("SIGKILL")),
  };
}

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PosthouseProcess, startPosthouse } from "./posthouse-process.ts";

export interface AgentProcessOptions {
  /** Where its configuration is; made when missing. */
  readonly folder: string;
  /** Its configuration but for the listeners, which are chosen freely: `projects`, `state`, `name`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Name of the project that all hosts are for. */
  readonly project: string;
  /** What else is set for those hosts: `forward`, for one. */
  readonly host?: Readonly<Record<string, unknown>>;
}

/** A real agent process, and what it tells of itself. */
export interface AgentProcess extends AsyncDisposable {
  readonly process: PosthouseProcess;
  readonly site: string;
  readonly admin: string;
  /** `302 /target`, or status and body. */
  ask(path: string): Promise<string>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  status(): Promise<any>;
  /** Status code of `/health/…`. */
  health(path: string): Promise<number>;
  /** Value of a metric by its name and labels as they are written; undefined when there is none. */
  metric(series: string): Promise<number | undefined>;
  /** Writes another configuration and has it read. */
  reload(config: AgentProcessOptions["config"], host?: AgentProcessOptions["host"]): Promise<void>;
}

/** Starts `posthouse agent` and waits until it listens, not until it has rules. */
export async function startAgentProcess(options: AgentProcessOptions): Promise<AgentProcess> {
  const { folder, project } = options;
  const file = join(folder, "agent.yaml");
  const write = (config: AgentProcessOptions["config"], host = options.host) =>
    writeFile(
      file,
      JSON.stringify({
        ...config,
        admin: { listen: "127.0.0.1:0" },
        sites: [{ listen: "127.0.0.1:0", hosts: [{ ...host, match: ["*"], project }] }],
      }),
    );
  await mkdir(folder, { recursive: true });
  await write(options.config);
  const process = startPosthouse(["agent", "-c", file]);
  const [line = ""] = await process.printed(/^.*"agent started".*$/m, 30_000);
  const { admin, sites } = JSON.parse(line) as { admin: string; sites: string[] };
  const get = (path: string): Promise<Response> =>
    fetch(`http://${admin}${path}`, { signal: AbortSignal.timeout(10_000) });
  return {
    process,
    site: `http://${sites[0]}`,
    admin: `http://${admin}`,
    async ask(path) {
      const answer = await fetch(`http://${sites[0]}${path}`, {
        redirect: "manual",
        signal: AbortSignal.timeout(10_000),
      });
      const text = await answer.text();
      return `${answer.status} ${answer.headers.get("location") ?? text.trim()}`;
    },
    status: async () => (await get("/status")).json(),
    async health(path) {
      const answer = await get(`/health/${path}`);
      await answer.body?.cancel();
      return answer.status;
    },
    async metric(series) {
      const text = await (await get("/metrics")).text();
      const line = text.split("\n").find((each) => each.startsWith(`${series} `));
      return line === undefined ? undefined : Number(line.slice(series.length + 1));
    },
    async reload(config, host) {
      await write(config, host);
      process.signal("SIGHUP");
    },
    async [Symbol.asyncDispose]() {
      process.signal("SIGKILL");
      await process.exited;
    },
  };
}

/** Real Celery, Debian's: a worker and a client on a broker of the test's own. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PosthouseProcess, startProgram } from "./posthouse-process.ts";
import { type Found, needInstalled } from "./services.ts";

/** Not the first one of PATH, which may not see Debian's packages. */
const python = "/usr/bin/python3";
const folder = join(import.meta.dirname, "celery");

export function needCelery(): Promise<Found> {
  return needInstalled(["python3-celery", "python3-kombu", "python3-redis"], "Celery", () => {
    const { status } = spawnSync(python, ["-c", "import celery, kombu, redis"], { timeout: 30_000 });
    return status === 0 ? python : undefined;
  });
}

export interface CeleryWorker extends AsyncDisposable {
  /** As it calls itself in its events. */
  readonly hostname: string;
  output(): string;
  /** Ends it as an operator would; resolves when it has said that it is offline. */
  stop(): Promise<void>;
}

/** Starts a worker and waits until it takes tasks. */
export async function startCeleryWorker(broker: string): Promise<CeleryWorker> {
  const hostname = "w1@vm";
  // Its own: Celery writes files where it runs.
  const cwd = await mkdtemp(join(tmpdir(), "posthouse-celery-"));
  const args = [
    "-m",
    "celery",
    "-A",
    "app",
    "worker",
    "-E",
    "-c",
    "2",
    "-n",
    hostname,
    "-l",
    "INFO",
    "-Q",
    "low",
  ];
  const worker = startProgram(python, args, { cwd, env: environment(broker) });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    worker.signal(signal);
    const timer = setTimeout(() => worker.signal("SIGKILL"), 30_000);
    await worker.exited;
    clearTimeout(timer);
  };
  try {
    await worker.printed(/ ready\./, 60_000);
  } catch (error) {
    await end("SIGKILL");
    throw error;
  }
  return {
    hostname,
    output: worker.output,
    stop: () => end("SIGTERM"),
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
      await rm(cwd, { recursive: true, force: true });
    },
  };
}

/** Sends one task of each kind (`celery/client.py`); the id of each by its name. */
export async function sendCeleryTasks(broker: string): Promise<Readonly<Record<string, string>>> {
  const client: PosthouseProcess = startProgram(python, [join(folder, "client.py")], {
    env: environment(broker),
  });
  const code = await client.exited;
  const ids = /^\{.*\}$/m.exec(client.output())?.[0];
  if (code !== 0 || ids === undefined) throw new Error(`Celery's client failed:\n${client.output()}`);
  return JSON.parse(ids);
}

const environment = (broker: string): Readonly<Record<string, string>> => ({
  BROKER_URL: broker,
  PYTHONPATH: folder,
  PYTHONDONTWRITEBYTECODE: "1",
  // As root it warns, and goes on.
  C_FORCE_ROOT: "true",
});

import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What a process and its children used up to now. */
export interface Usage {
  /** User and system time of all threads. The kernel counts in steps of 10 ms. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  readonly files: number;
  readonly threads: number;
}

/** A server that runs beside us: ours under test, or a peer. */
export interface PeerProcess extends AsyncDisposable {
  readonly pid: number;
  /** The end of what it printed, output and errors together. */
  output(): string;
  usage(): Promise<Usage>;
  signal(name: NodeJS.Signals): void;
  /** Ends it: SIGTERM, and SIGKILL after five seconds. Resolves with the exit code, -1 when a signal ended it. */
  stop(): Promise<number>;
}

export interface PeerOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Started when this port of 127.0.0.1 accepts connections. */
  readonly port: number;
  /** Keeps the process on this processor, where `taskset` exists. */
  readonly core?: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
}

const keptOutput = 64 * 1024;
const stopAfterMs = 5000;

/** Starts a server and waits until it accepts connections. Throws with its output when it ends or is too late. */
export async function startPeer(options: PeerOptions): Promise<PeerProcess> {
  const { command, args } = pinned(options);
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", ...options.env },
  });
  const peer = watch(child);
  const endsAt = performance.now() + (options.deadlineMs ?? 30_000);
  try {
    while (!(await accepts(options.port))) {
      if (child.exitCode !== null || child.pid === undefined) throw new Error("it ended");
      if (performance.now() > endsAt) throw new Error(`it did not listen on port ${options.port} in time`);
      await sleep(25);
    }
  } catch (cause) {
    await peer.stop();
    throw new Error(`${options.command} did not start: ${String(cause)}\n${peer.output()}`, { cause });
  }
  return peer;
}

/** The command line that keeps a program on one processor; the program keeps the process id. */
export function pinned(options: Pick<PeerOptions, "command" | "args" | "core">): {
  command: string;
  args: readonly string[];
} {
  const { command, args, core } = options;
  if (core === undefined) return { command, args };
  return { command: "taskset", args: ["-c", String(core), command, ...args] };
}

function watch(child: ChildProcess): PeerProcess {
  let text = "";
  const keep = (chunk: string): void => {
    text = (text + chunk).slice(-keptOutput);
  };
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", keep);
  const exited = new Promise<number>((resolve) => {
    child.on("error", (error) => {
      keep(String(error));
      resolve(-1);
    });
    child.on("close", (code) => resolve(code ?? -1));
  });
  const pid = child.pid ?? -1;
  const stop = async (): Promise<number> => {
    const running = child.exitCode === null && child.signalCode === null;
    if (running) child.kill("SIGTERM");
    const killer = setTimeout(() => child.kill("SIGKILL"), stopAfterMs);
    const code = await exited;
    clearTimeout(killer);
    return code;
  };
  return {
    pid,
    output: () => text,
    usage: () => readUsage(pid),
    signal: (name) => void child.kill(name),
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: 1000 });
    const done = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket
      .on("connect", () => done(true))
      .on("error", () => done(false))
      .on("timeout", () => done(false));
  });
}

const tickMs = 10;

/** Usage of a process and of its direct and further children, from /proc. Linux only. */
export async function readUsage(pid: number): Promise<Usage> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The command name in parentheses may hold spaces; the fields after it count from 3 in proc(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  const own: Usage = {
    cpuMs: (field(14) + field(15)) * tickMs,
    rssBytes: field(24) * 4096,
    files: (await readdir(`/proc/${pid}/fd`)).length,
    threads: field(20),
  };
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim();
  const others = await Promise.all(
    (children === "" ? [] : children.split(" ")).map((id) => readUsage(Number(id))),
  );
  return others.reduce(
    (sum, other) => ({
      cpuMs: sum.cpuMs + other.cpuMs,
      rssBytes: sum.rssBytes + other.rssBytes,
      files: sum.files + other.files,
      threads: sum.threads + other.threads,
    }),
    own,
  );
}

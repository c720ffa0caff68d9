import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const main = join(import.meta.dirname, "..", "..", "apps", "posthouse", "src", "main.ts");

/** A real process: `posthouse`, or a script. */
export interface PosthouseProcess {
  readonly pid: number;
  /** Everything printed so far, standard output and error together. */
  output(): string;
  /** Resolves with the first match in the output; rejects when the process ends before, or after `deadlineMs`. */
  printed(pattern: RegExp, deadlineMs?: number): Promise<RegExpMatchArray>;
  signal(signal: NodeJS.Signals): void;
  /** Exit code; -1 when a signal ended it. */
  readonly exited: Promise<number>;
}

interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `posthouse` with these arguments, from source, under the Node that runs the tests. */
export function startPosthouse(args: readonly string[], options: ProcessOptions = {}): PosthouseProcess {
  return startScript(main, args, options);
}

/** Starts any script in the same way. */
export function startScript(
  file: string,
  args: readonly string[],
  options: ProcessOptions = {},
): PosthouseProcess {
  const child = spawn(
    process.execPath,
    ["--conditions=posthouse-source", "--disable-warning=ExperimentalWarning", file, ...args],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    },
  );
  return watch(child, file === main ? ["posthouse", ...args] : [file, ...args]);
}

/** Starts any program in the same way. */
export function startProgram(
  command: string,
  args: readonly string[],
  options: ProcessOptions = {},
): PosthouseProcess {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  return watch(child, [command, ...args]);
}

function watch(child: ChildProcess, command: readonly string[]): PosthouseProcess {
  let text = "";
  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of listeners) listener();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      notify();
    });
  }
  let ended = false;
  const exited = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      ended = true;
      notify();
      resolve(code ?? -1);
    });
  });
  return {
    pid: child.pid ?? -1,
    output: () => text,
    signal: (signal) => void child.kill(signal),
    exited,
    printed(pattern, deadlineMs = 20_000) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => settle("in time"), deadlineMs);
        const settle = (problem?: string): void => {
          const match = text.match(pattern);
          if (match === null && problem === undefined && !ended) return;
          clearTimeout(timer);
          listeners.delete(check);
          if (match !== null) resolve(match);
          else
            reject(
              new Error(
                `${command.join(" ")} did not print ${pattern} ${problem ?? "before it ended"}:\n${text}`,
              ),
            );
        };
        const check = (): void => settle();
        listeners.add(check);
        check();
      });
    },
  };
}

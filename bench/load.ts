import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type PeerProcess, pinned } from "@posthouse/testkit/peer-process";
import type { Figures } from "./rounds.ts";

export interface LoadOptions {
  /** Path of wrk. */
  readonly wrk: string;
  /**
   * A file of lines `host<TAB>target`, or `host<TAB>target<TAB>bytes` for a POST of that length; or a file `NAME.http` of
   * whole requests as they are sent, with a zero byte between two.
   */
  readonly requests: string;
  readonly scheme?: "http" | "https";
  readonly connections: number;
  readonly seconds: number;
  /** Of each connection before a request, in the mean; a whole number. Default: none. */
  readonly pauseMs?: number;
  readonly core?: number | undefined;
}

/** What is loaded: the port at 127.0.0.1, and what it used. */
export type LoadedServer = Pick<PeerProcess, "usage"> & { readonly port: number };

interface Result {
  readonly requests: number;
  readonly durationUs: number;
  /** Answers of 400 and above. */
  readonly refused: number;
  /** Connections that failed, timed out or were cut. */
  readonly broken: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Loads a server and says what that cost it. Throws when an answer was wrong enough for wrk to see. */
export async function measureLoad(server: LoadedServer, options: LoadOptions): Promise<Figures> {
  const before = await server.usage();
  const result = await load(server.port, options);
  const after = await server.usage();
  if (result.refused > 0 || result.broken > 0) {
    throw new Error(`wrong answers under load: ${JSON.stringify(result)}`);
  }
  return {
    "CPU µs per request": ((after.cpuMs - before.cpuMs) * 1000) / result.requests,
    "requests per second": result.requests / (result.durationUs / 1e6),
    "p50 ms": result.p50Us / 1000,
    "p99 ms": result.p99Us / 1000,
    "RSS MiB": after.rssBytes / 2 ** 20,
  };
}

async function load(port: number, options: LoadOptions): Promise<Result> {
  const { command, args } = pinned({
    command: options.wrk,
    args: [
      "--threads=1",
      `--connections=${options.connections}`,
      `--duration=${options.seconds}s`,
      `--script=${join(import.meta.dirname, "load.lua")}`,
      `${options.scheme ?? "http"}://127.0.0.1:${port}`,
      "--",
      options.requests,
      ...(options.pauseMs === undefined ? [] : [String(options.pauseMs)]),
    ],
    core: options.core,
  });
  const { stdout } = await promisify(execFile)(command, args, { timeout: (options.seconds + 60) * 1000 });
  const line = /^RESULT (.*)$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`wrk gave no result:\n${stdout}`);
  return JSON.parse(line) as Result;
}

import { createLog, type Log, type LogLevel } from "@posthouse/service";

/** The log of a long-running command, as its configuration says: pretty on a terminal, JSON elsewhere. */
export function createProcessLog(config: {
  readonly level: LogLevel;
  readonly format?: "json" | "pretty" | undefined;
}): Log {
  return createLog({
    level: config.level,
    format: config.format ?? (process.stdout.isTTY ? "pretty" : "json"),
  });
}

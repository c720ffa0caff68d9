import { type ChangeableLog, createLog, type LogLevel, type LogOptions } from "@posthouse/service";

interface LogConfig {
  readonly level: LogLevel;
  readonly format?: "json" | "pretty" | undefined;
}

/** The log of a long-running command, as its configuration says: pretty on a terminal, JSON elsewhere. */
export function createProcessLog(config: LogConfig): ChangeableLog {
  return createLog(logSettings(config));
}

/** What a log is made or changed with. */
export function logSettings({ level, format }: LogConfig): Pick<LogOptions, "level" | "format"> {
  return { level, format: format ?? (process.stdout.isTTY ? "pretty" : "json") };
}

import { isPosthouseError } from "@posthouse/protocol";
import { pino } from "pino";
import type { LogDestination } from "./log-destination.ts";
import { createPrettyStream } from "./pretty-log.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log. An error goes into the field `error`; secrets print as `[hidden]`. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Log;
}

export interface LogOptions {
  readonly format: "json" | "pretty";
  readonly level: LogLevel;
  /** Default: standard output, written without blocking; entries beyond 8 MiB that nobody reads are dropped. */
  readonly destination?: LogDestination;
}

/** A log whose settings can be changed while it is used; its children change with it. */
export interface ChangeableLog extends Log {
  change(settings: Pick<LogOptions, "format" | "level">): void;
}

/** Makes a log: a JSON object per line for machines, or one short line per entry for people. */
export function createLog(options: LogOptions): ChangeableLog {
  const isTTY = options.destination ? options.destination.isTTY === true : process.stdout.isTTY === true;
  const destination: LogDestination =
    options.destination ?? pino.destination({ fd: 1, sync: isTTY, maxLength: 8 * 1024 * 1024 });
  let root = createRoot(options, destination, isTTY);

  /** Follows the root, and keeps what it made of the present one. */
  function follow(make: () => Log): Log {
    let madeOf = root;
    let made = make();
    const present = (): Log => {
      if (madeOf !== root) {
        madeOf = root;
        made = make();
      }
      return made;
    };
    return {
      debug: (fields, message) => present().debug(fields, message),
      info: (fields, message) => present().info(fields, message),
      warn: (fields, message) => present().warn(fields, message),
      error: (fields, message) => present().error(fields, message),
      child: (fields) => follow(() => present().child(fields)),
    };
  }

  return {
    ...follow(() => root),
    change(settings) {
      root = createRoot(settings, destination, isTTY);
    },
  };
}

function createRoot(
  options: Pick<LogOptions, "format" | "level">,
  output: LogDestination,
  isTTY: boolean,
): Log {
  const stream = options.format === "pretty" ? createPrettyStream(output, isTTY) : output;
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeError },
    },
    stream as pino.DestinationStream,
  );
  return logger as unknown as Log;
}

/** An error as log fields: what we raise ourselves, or the system or SQLite says, needs no stack; anything else does. */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  if (isPosthouseError(error)) {
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return { code: error.code, message: error.message, ...hint, ...cause };
  }
  const code = "code" in error ? { code: error.code } : {};
  const isExplained = "syscall" in error || "errcode" in error;
  return { ...code, message: error.message, ...(!isExplained && { stack: error.stack }), ...cause };
}

import { createLog, type Log, type LogLevel } from "@posthouse/service";
import type { Arguments, CommandOption } from "./command.ts";
import { commandErrors } from "./errors.ts";

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

/** The options of every command that runs until it is stopped. */
export const logOptions: Readonly<Record<string, CommandOption>> = {
  "log-level": { value: "LEVEL", default: "info", help: levels.join(", ") },
  "log-format": { value: "FORMAT", help: "json or pretty; by default pretty on a terminal" },
};

/** Makes the log that `logOptions` ask for. */
export function createCommandLog(args: Arguments, piped: "json" | "pretty"): Log {
  const level = args.required("log-level");
  const format = args.text("log-format") ?? (process.stdout.isTTY ? "pretty" : piped);
  if (!isLevel(level)) {
    throw commandErrors.create("USAGE", {
      problem: `--log-level ${level}: one of ${levels.join(", ")}`,
      command: "agent",
    });
  }
  if (format !== "json" && format !== "pretty") {
    throw commandErrors.create("USAGE", {
      problem: `--log-format ${format}: json or pretty`,
      command: "agent",
    });
  }
  return createLog({ level, format });
}

function isLevel(text: string): text is LogLevel {
  return (levels as readonly string[]).includes(text);
}

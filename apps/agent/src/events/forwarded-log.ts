import { describeError, type Log, type LogFields } from "@posthouse/service";
import type { LogEntry } from "./messages.ts";

const mostPerSecond = 200;

/** A log whose entries are written by another thread; beyond 200 a second they are left out, and counted. */
export function createForwardedLog(send: (entry: LogEntry) => void, now: () => number = Date.now): Log {
  let second = 0;
  let entries = 0;
  let leftOut = 0;

  function write(level: LogEntry["level"], fields: LogFields, message: string): void {
    const current = Math.floor(now() / 1000);
    if (current !== second) {
      second = current;
      entries = 0;
      if (leftOut > 0)
        send({ level: "warn", fields: { entries: leftOut }, message: "log entries were left out" });
      leftOut = 0;
    }
    if (++entries > mostPerSecond) leftOut++;
    else send({ level, fields: plain(fields), message });
  }

  const logOf = (bound: LogFields): Log => ({
    debug: (fields, message) => write("debug", { ...bound, ...fields }, message),
    info: (fields, message) => write("info", { ...bound, ...fields }, message),
    warn: (fields, message) => write("warn", { ...bound, ...fields }, message),
    error: (fields, message) => write("error", { ...bound, ...fields }, message),
    child: (fields) => logOf({ ...bound, ...fields }),
  });
  return logOf({});
}

/** What a log would write of them: errors described, secrets hidden. */
function plain(fields: LogFields): Readonly<Record<string, unknown>> {
  const { error } = fields;
  return JSON.parse(
    JSON.stringify(error === undefined ? fields : { ...fields, error: describeError(error) }),
  );
}

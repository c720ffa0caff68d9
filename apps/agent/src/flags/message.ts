/** What arrives on the sockets of SDKs and relays (3.7). */

export type SdkMessage =
  | { readonly type: "ping" }
  | { readonly type: "echo" | "data-sync" | "rp-agent-status"; readonly data: unknown };

/** Why a message had no effect. */
export type DropReason =
  | "too_large"
  | "not_json"
  | "no_type"
  | "unknown_type"
  | "bad_timestamp"
  | "bad_user"
  | "bad_data";

/** Longer messages are dropped. */
export const maxMessageBytes = 8192;

/** Reads a message; a reason when it has no meaning. Undefined for an empty one, which is no message. */
export function parseMessage(bytes: Buffer): SdkMessage | DropReason | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes.length > maxMessageBytes) return "too_large";
  let message: unknown;
  try {
    message = JSON.parse(bytes.toString("utf8"));
  } catch {
    return "not_json";
  }
  const type = field(message, "messagetype");
  const data = field(message, "data");
  if (typeof type !== "string" || data === undefined) return "no_type";
  const name = type.toLowerCase();
  if (name === "ping") return { type: name };
  if (name === "echo" || name === "data-sync" || name === "rp-agent-status") return { type: name, data };
  return "unknown_type";
}

/** Of an object, by its name in any case. */
function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key.toLowerCase() === name)?.[1];
}

/** The time of a data-sync, in ms: 0 when it is missing or no whole number; undefined when it is no number. */
export function syncTimestamp(data: unknown): number | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  if (!("timestamp" in data)) return 0;
  if (typeof data.timestamp !== "number") return undefined;
  return Number.isSafeInteger(data.timestamp) ? data.timestamp : 0;
}

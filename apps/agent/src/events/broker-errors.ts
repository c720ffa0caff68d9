import { isPosthouseError, type PosthouseError } from "@posthouse/protocol";
import { agentErrors } from "../core/errors.ts";

/** Where a broker is, as its errors name it. Never with a password. */
export interface BrokerPlace {
  /** HOST:PORT, or the path of a socket. */
  readonly address: string;
  /** What should answer there. */
  readonly expected: "RabbitMQ" | "Redis";
  readonly isEncrypted: boolean;
}

interface Coded extends Error {
  readonly code?: string | number;
}

const unreachable: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there (ECONNREFUSED)",
  ENOENT: "there is no such socket (ENOENT)",
  EACCES: "this user may not use it (EACCES)",
  ENOTFOUND: "the host name is not known (ENOTFOUND)",
  EAI_AGAIN: "the host name cannot be looked up now (EAI_AGAIN)",
  EHOSTUNREACH: "there is no way to that host (EHOSTUNREACH)",
  ENETUNREACH: "there is no way to that network (ENETUNREACH)",
  ETIMEDOUT: "it does not answer (ETIMEDOUT)",
};

/** A failure of the network or of TLS in plain words; undefined when it is neither. */
export function explainNetworkError(error: Error, place: BrokerPlace): PosthouseError | undefined {
  if (isPosthouseError(error)) return error;
  // Several addresses of one name were tried: the first says as much as all.
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const { code, message } = (inner instanceof Error ? inner : error) as Coded;
  const { address } = place;
  if (typeof code !== "string") return undefined;
  const reason = unreachable[code];
  if (reason !== undefined) return agentErrors.create("BROKER_UNREACHABLE", { address, reason });
  if (code === "ECONNRESET" || code === "EPIPE")
    return agentErrors.create("BROKER_CLOSED", { address, reason: `the connection was reset (${code})` });
  if (code.startsWith("ERR_SSL") || code === "EPROTO")
    return agentErrors.create("BROKER_TLS_FAILED", {
      address,
      reason: "what answers there speaks no TLS that fits",
    });
  if (
    place.isEncrypted &&
    (/^[A-Z_]*CERT[A-Z_]*$/.test(code) || code.startsWith("ERR_TLS") || code.startsWith("UNABLE_TO"))
  )
    return agentErrors.create("BROKER_TLS_FAILED", { address, reason: `${oneLine(message)} (${code})` });
  return undefined;
}

/** The first 200 characters, without line ends. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, 200);
}

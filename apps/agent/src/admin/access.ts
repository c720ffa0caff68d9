import type { Secret } from "@posthouse/service";
import { isSameSecret } from "../core/token.ts";
import { type Exchange, headerValue } from "../http/exchange.ts";

/** True when no token is wanted, or the request carries it as `Authorization: Bearer TOKEN`. Takes the same time for each. */
export function isAllowed(exchange: Exchange, token: Secret | undefined): boolean {
  if (token === undefined) return true;
  const [, given] = /^Bearer +(\S+) *$/i.exec(headerValue(exchange, "authorization") ?? "") ?? [];
  return isSameSecret(given ?? "", token) && given !== undefined;
}

const loopback = /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/i;

/** True when only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return loopback.test(host);
}

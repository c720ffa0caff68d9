import { createHash, timingSafeEqual } from "node:crypto";
import type { Secret } from "@posthouse/service";
import { type Exchange, headerValue } from "../http/exchange.ts";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** True when no token is wanted, or the request carries it as `Authorization: Bearer TOKEN`. Takes the same time for each. */
export function isAllowed(exchange: Exchange, token: Secret | undefined): boolean {
  if (token === undefined) return true;
  const [, given] = /^Bearer +(\S+) *$/i.exec(headerValue(exchange, "authorization") ?? "") ?? [];
  return timingSafeEqual(digest(given ?? ""), digest(token.reveal())) && given !== undefined;
}

const loopback = /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/i;

/** True when only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return loopback.test(host);
}

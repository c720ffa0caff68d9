import { type Exchange, headerValue } from "../http/exchange.ts";

/** Lets pages of any origin read the answer. Returns true when it answered: a preflight asks only whether it may ask. */
export function allowAnyOrigin(exchange: Exchange): boolean {
  if (headerValue(exchange, "origin") === undefined) return false;
  exchange.addHeader("Access-Control-Allow-Origin", "*");
  const method = headerValue(exchange, "access-control-request-method");
  if (exchange.method !== "OPTIONS" || method === undefined) return false;
  const wanted = headerValue(exchange, "access-control-request-headers");
  exchange.addHeader("Access-Control-Allow-Methods", method);
  if (wanted !== undefined) exchange.addHeader("Access-Control-Allow-Headers", wanted);
  exchange.answer(204, [], "");
  return true;
}

import { isIP } from "node:net";
import type { Secret } from "@posthouse/service";
import { type Exchange, headerValue } from "../http/exchange.ts";
import { isAllowed } from "./access.ts";

export interface GuardOptions {
  readonly token: Secret | undefined;
  /** Names of this address, beside IP addresses and localhost. */
  readonly hosts: readonly string[];
}

export interface Refused {
  readonly status: 401 | 403;
  readonly code: string;
  readonly message: string;
}

/**
 * Why a request to control something is refused; undefined: it may. Its Host is one of ours, so that no foreign name was
 * made to point here; its Origin is that host, so that no foreign page asks; and it carries the token. Without a token
 * in the configuration it may read.
 */
export function refuseControl(exchange: Exchange, { token, hosts }: GuardOptions): Refused | undefined {
  const refused = refuseForeign(exchange, hosts);
  if (refused !== undefined) return refused;
  const isReading = exchange.method === "GET" || exchange.method === "HEAD";
  if (token === undefined)
    return isReading
      ? undefined
      : refuse(403, "NO_ADMIN_TOKEN", "nothing can be changed here: the configuration has no admin.token");
  if (isAllowed(exchange, token)) return undefined;
  return refuse(401, "TOKEN_NEEDED", "a token is needed: Authorization: Bearer TOKEN");
}

/** The same without the token: for what anybody may see who came here on purpose. */
export function refuseForeign(exchange: Exchange, hosts: readonly string[]): Refused | undefined {
  const host = nameOf(exchange.authority);
  if (host === undefined || !isOurs(host, hosts)) {
    const said = `this is not known as ${JSON.stringify(exchange.authority.slice(0, 100))}`;
    return refuse(403, "UNKNOWN_HOST", `${said}; ask by IP address or localhost, or name it in admin.hosts`);
  }
  const origin = headerValue(exchange, "origin");
  if (origin === undefined || isSameHost(origin, exchange.authority)) return undefined;
  return refuse(403, "FOREIGN_ORIGIN", "a page of another origin may not ask this");
}

const refuse = (status: Refused["status"], code: string, message: string): Refused => ({
  status,
  code,
  message,
});

/** Host without port and brackets, in lower case. */
function nameOf(authority: string): string | undefined {
  return /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i
    .exec(authority)
    ?.slice(1)
    .find(Boolean)
    ?.toLowerCase();
}

function isOurs(host: string, hosts: readonly string[]): boolean {
  return isIP(host) !== 0 || host === "localhost" || hosts.some((name) => name.toLowerCase() === host);
}

/** The scheme is not compared: a proxy before us may have taken off TLS. */
function isSameHost(origin: string, authority: string): boolean {
  const found = /^https?:\/\/([^/?#]+)$/i.exec(origin)?.[1];
  return found !== undefined && found.toLowerCase() === authority.toLowerCase();
}

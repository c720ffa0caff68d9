/** The proxy job in the request path: what no rule answered goes to a backend. */
import type { ClientAddressResolver } from "../http/client-address.ts";
import { type Exchange, headerValue } from "../http/exchange.ts";
import { requestId } from "../http/request-id.ts";
import type { ErrorAnswers } from "./error-answers.ts";
import type { Forward } from "./forward.ts";
import type { Forwarding } from "./forwarded.ts";
import { ProxiedRequest } from "./proxied-request.ts";
import { formatRequestHead } from "./request-head.ts";
import { isCircling } from "./via.ts";

export interface ProxyHandlerOptions {
  readonly forward: Forward;
  /** What `Host` says to the backend; undefined: what the client said. */
  readonly host: string | undefined;
  readonly clients: ClientAddressResolver;
  readonly forwarding: Forwarding;
  /** Name of this agent in `Via`, in lower case. */
  readonly viaName: string;
  /** Header that carries an id of the request. */
  readonly requestIdHeader: string | undefined;
  readonly errors: ErrorAnswers;
}

export interface ProxyHandler {
  handle(exchange: Exchange, host: string): void;
}

export function createProxyHandler(options: ProxyHandlerOptions): ProxyHandler {
  const { forward, clients, forwarding, viaName, requestIdHeader, errors } = options;
  const via: Readonly<Record<Exchange["httpVersion"], string>> = {
    "1.0": `Via: 1.0 ${viaName}\r\n`,
    "1.1": `Via: 1.1 ${viaName}\r\n`,
    "2.0": `Via: 2.0 ${viaName}\r\n`,
  };
  const idName = requestIdHeader?.toLowerCase();
  return {
    handle(exchange, host) {
      if (isCircling(exchange.rawHeaders, viaName)) {
        forward.count.refused(errors.answer(exchange, 508), "loop");
        return;
      }
      const own = { scheme: exchange.scheme, host };
      const peer = exchange.peer ?? "";
      const client = clients.resolve(peer, exchange.rawHeaders, own);
      const { added, dropped } = forwarding.apply(exchange.rawHeaders, client, peer, own);
      let lines = added + via[exchange.httpVersion];
      let leftOut = dropped;
      if (requestIdHeader !== undefined && idName !== undefined) {
        const id = requestId(headerValue(exchange, idName), client.trusted);
        if (exchange.record !== undefined) exchange.record.requestId = id;
        lines += `${requestIdHeader}: ${id}\r\n`;
        leftOut = new Set([...dropped, idName]);
      }
      const head = formatRequestHead(exchange, {
        host: options.host ?? (host === exchange.authority ? undefined : host),
        target: originForm(exchange),
        added: lines,
        dropped: leftOut,
      });
      if (head.bodyBytes > forward.limits.maxBodyBytes) {
        forward.count.refused(errors.answer(exchange, 413), "body_too_large");
        return;
      }
      new ProxiedRequest(exchange, forward, head, client.ip, errors).start();
    },
  };
}

/** The target as an origin server is asked: what follows the authority of an absolute one, else as it is (RFC 9112, 3.2). */
function originForm({ target, method }: Exchange): string {
  if (target.startsWith("/") || target === "*") return target;
  const authority = target.indexOf("://") + 3;
  const path = target.slice(authority).search(/[/?]/);
  if (path === -1) return method === "OPTIONS" ? "*" : "/";
  const rest = target.slice(authority + path);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

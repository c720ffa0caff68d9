/** The proxy job in the request path: what no rule answered goes to a backend. */
import type { Exchange } from "../http/exchange.ts";
import type { Forward } from "./forward.ts";
import { ProxiedRequest } from "./proxied-request.ts";
import { formatRequestHead } from "./request-head.ts";

export interface ProxyHandlerOptions {
  readonly forward: Forward;
  /** What `Host` says to the backend; undefined: what the client said. */
  readonly host: string | undefined;
}

export interface ProxyHandler {
  handle(exchange: Exchange, host: string): void;
}

const nothing: ReadonlySet<string> = new Set();

export function createProxyHandler({ forward, host }: ProxyHandlerOptions): ProxyHandler {
  return {
    handle(exchange, requestHost) {
      const head = formatRequestHead(exchange, {
        host,
        target: originForm(exchange.target),
        added: "",
        dropped: nothing,
      });
      if (head.bodyBytes > forward.limits.maxBodyBytes)
        return forward.answerError(exchange, 413, "body_too_large");
      new ProxiedRequest(exchange, forward, head, `${exchange.peer ?? ""}${requestHost}`).start();
    },
  };
}

/** The target as an origin server is asked: what follows the authority of an absolute one, else as it is. */
function originForm(target: string): string {
  if (target.startsWith("/") || target === "*") return target;
  const authority = target.indexOf("://") + 3;
  const path = target.slice(authority).search(/[/?]/);
  if (path === -1) return "/";
  const rest = target.slice(authority + path);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

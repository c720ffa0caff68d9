import { requestUri } from "@posthouse/rules";
import { answerText, type Exchange, type ExchangeHandler } from "./exchange.ts";
import { isHost } from "./host.ts";
import type { HostTable } from "./sites.ts";

/** One job's part in answering a project's requests. */
export interface ProjectHandler {
  /** Answers and returns true, or leaves the exchange alone. */
  handle(exchange: Exchange, host: string, uri: string): boolean;
}

/** Who answers for a host: its project's rules, then its backend. */
export interface HostHandlers {
  readonly rules: ProjectHandler | undefined;
  readonly proxy: { handle(exchange: Exchange, host: string): void } | undefined;
}

/** Where a request goes: the site by its host, then the project's rules, then the backend, then 404. */
export function createPipeline(hosts: HostTable<HostHandlers>): ExchangeHandler {
  return {
    handle(exchange) {
      const parsed = requestUri(exchange.target);
      const host = parsed?.host ?? exchange.authority;
      const handlers = hosts.find(host);
      if (parsed === undefined || (parsed.host !== undefined && !isHost(parsed.host))) {
        if (exchange.target !== "*" || handlers?.proxy === undefined) answerUnusable(exchange);
        else handlers.proxy.handle(exchange, host);
      } else if (handlers?.rules?.handle(exchange, host, parsed.uri) !== true) {
        if (handlers?.proxy === undefined) answerText(exchange, 404, "not found\n");
        else handlers.proxy.handle(exchange, host);
      }
    },
  };
}

/** `OPTIONS *` asks about the server, not about any page. */
function answerUnusable(exchange: Exchange): void {
  if (exchange.target === "*" && exchange.method === "OPTIONS") exchange.answer(200, [], "");
  else answerText(exchange, 400, "the request target is neither a path nor a URL\n");
}

import { requestUri } from "@posthouse/rules";
import { answerText, type Exchange, type ExchangeHandler } from "./exchange.ts";
import type { ExplainedRequest, ExplainHeader } from "./explain-header.ts";
import { isHost } from "./host.ts";
import type { HostTable } from "./sites.ts";

/** One job's part in answering a project's requests. */
export interface ProjectHandler {
  /** Answers and returns true, or leaves the exchange alone. */
  handle(exchange: Exchange, host: string, uri: string): boolean;
  /** Why it would answer as it does. Slow. */
  explain(host: string, uri: string): Promise<ExplainedRequest>;
}

export interface PipelineOptions {
  readonly hosts: HostTable<HostHandlers>;
  /** Where answers are explained on request. */
  readonly explainHeader?: ExplainHeader | undefined;
}

/** Who answers for a host: its project's rules, then its backend. */
export interface HostHandlers {
  readonly rules: ProjectHandler | undefined;
  readonly proxy: { handle(exchange: Exchange, host: string): void } | undefined;
}

/** Where a request goes: the site by its host, then the project's rules, then the backend, then 404. */
export function createPipeline({ hosts, explainHeader }: PipelineOptions): ExchangeHandler {
  return {
    handle(exchange) {
      const parsed = requestUri(exchange.target);
      const host = parsed?.host ?? exchange.authority;
      const handlers = hosts.find(host);
      const isUsable = parsed !== undefined && (parsed.host === undefined || isHost(parsed.host));
      const request: RoutedRequest = {
        host,
        uri: isUsable ? parsed.uri : undefined,
        targetHost: parsed?.host,
      };
      const { uri } = request;
      if (uri === undefined || explainHeader?.isAsked(exchange) !== true) {
        answer(exchange, handlers, request);
        return;
      }
      explainHeader.explain(
        exchange,
        () => explain(handlers?.rules, host, uri),
        () => answer(exchange, handlers, request),
      );
    },
  };
}

interface RoutedRequest {
  readonly host: string;
  /** Undefined where no rule could answer the target. */
  readonly uri: string | undefined;
  /** Of a target that is a URL. */
  readonly targetHost: string | undefined;
}

function answer(
  exchange: Exchange,
  handlers: HostHandlers | undefined,
  { host, uri, targetHost }: RoutedRequest,
): void {
  if (uri !== undefined && handlers?.rules?.handle(exchange, host, uri) === true) return;
  if (handlers?.proxy !== undefined && isForwardable(exchange, targetHost))
    handlers.proxy.handle(exchange, host);
  else if (uri !== undefined && handlers?.proxy === undefined) answerText(exchange, 404, "not found\n");
  else answerUnusable(exchange);
}

/** Backends get every path, also one that no rule could answer; and URLs whose host every server reads the same way. */
function isForwardable(exchange: Exchange, host: string | undefined): boolean {
  const { target } = exchange;
  if (target.startsWith("/") || isServer(exchange)) return true;
  // A user before the host is how one host is made to look like another (RFC 9110, 4.2.4).
  return host !== undefined && isHost(host) && !/^[^/]*\/\/[^/?]*@/.test(target);
}

/** `OPTIONS *` asks about the server, not about any page (RFC 9112, 3.2.4). */
function isServer({ method, target }: Exchange): boolean {
  return target === "*" && method === "OPTIONS";
}

async function explain(
  handler: ProjectHandler | undefined,
  host: string,
  uri: string,
): Promise<ExplainedRequest> {
  const said = handler ? await handler.explain(host, uri) : { reason: "no project for this host" };
  return { host, uri, ...said };
}

function answerUnusable(exchange: Exchange): void {
  if (isServer(exchange)) exchange.answer(200, [], "");
  else answerText(exchange, 400, "the request target is neither a path nor a URL\n");
}

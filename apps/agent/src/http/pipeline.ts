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
  readonly hosts: HostTable<ProjectHandler>;
  /** Where answers are explained on request. */
  readonly explainHeader?: ExplainHeader | undefined;
}

/** Where a request goes: the site by its host, then the project's rules, then 404. */
export function createPipeline({ hosts, explainHeader }: PipelineOptions): ExchangeHandler {
  return {
    handle(exchange) {
      const parsed = requestUri(exchange.target);
      const host = parsed?.host ?? exchange.authority;
      if (parsed === undefined || (parsed.host !== undefined && !isHost(parsed.host))) {
        answerUnusable(exchange);
        return;
      }
      const { uri } = parsed;
      const handler = hosts.find(host);
      if (explainHeader?.isAsked(exchange) !== true) {
        answer(exchange, handler, host, uri);
        return;
      }
      explainHeader.explain(
        exchange,
        () => explain(handler, host, uri),
        () => answer(exchange, handler, host, uri),
      );
    },
  };
}

function answer(exchange: Exchange, handler: ProjectHandler | undefined, host: string, uri: string): void {
  if (handler?.handle(exchange, host, uri) !== true) answerText(exchange, 404, "not found\n");
}

async function explain(
  handler: ProjectHandler | undefined,
  host: string,
  uri: string,
): Promise<ExplainedRequest> {
  const said = handler ? await handler.explain(host, uri) : { reason: "no project for this host" };
  return { host, uri, ...said };
}

/** `OPTIONS *` asks about the server, not about any page. */
function answerUnusable(exchange: Exchange): void {
  if (exchange.target === "*" && exchange.method === "OPTIONS") exchange.answer(200, [], "");
  else answerText(exchange, 400, "the request target is neither a path nor a URL\n");
}

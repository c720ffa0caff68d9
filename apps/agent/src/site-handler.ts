/** Puts a site's handlers together: who answers for each of its hosts, and what watches over the answers. */
import type { AgentConfig, HostConfig, SiteConfig } from "./config/schema.ts";
import type { GenerationContext } from "./generation.ts";
import type { AccessLogFile } from "./http/access-log/file.ts";
import { createAccessFormat } from "./http/access-log/format.ts";
import { createAccessLogHandler } from "./http/access-log/handler.ts";
import { type ClientAddressResolver, createClientAddress } from "./http/client-address.ts";
import { compressAnswers } from "./http/compression/compression.ts";
import type { ExchangeHandler } from "./http/exchange.ts";
import type { ExplainHeader } from "./http/explain-header.ts";
import { createPipeline, type HostHandlers, type ProjectHandler } from "./http/pipeline.ts";
import { createHostTable, type HostEntry } from "./http/sites.ts";
import { backendHost } from "./proxy/backend-address.ts";
import type { ErrorAnswers } from "./proxy/error-answers.ts";
import type { Forward } from "./proxy/forward.ts";
import { createForwarding } from "./proxy/forwarded.ts";
import { forwardKey } from "./proxy/forwards.ts";
import { createProxyHandler, type ProxyHandler } from "./proxy/handler.ts";
import { createRedirectHandler } from "./redirects/handler.ts";
import type { Replica } from "./replica/replica.ts";

export interface SiteSurroundings {
  readonly config: AgentConfig;
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly forwards: ReadonlyMap<string, Forward>;
  readonly accessLogs: ReadonlyMap<string, AccessLogFile>;
  readonly errors: ReadonlyMap<HostConfig, ErrorAnswers>;
  readonly context: GenerationContext;
  readonly explainHeader: ExplainHeader | undefined;
}

/** What a site's listener does with every exchange. */
export function createSiteHandler(site: SiteConfig, surroundings: SiteSurroundings): ExchangeHandler {
  const clients = createSiteClients(site);
  const { viaName } = surroundings.context;
  const entries = site.hosts.map((host): HostEntry<HostHandlers> => {
    const forward = surroundings.forwards.get(forwardKey(host));
    const errors = surroundings.errors.get(host) as ErrorAnswers;
    const handlers: HostHandlers = {
      rules: createRules(host, surroundings),
      proxy: forward
        ? createHostProxy(site, host, { forward, clients, errors, viaName })
        : notFoundPage(host, errors),
    };
    const value = host.compress ? compressAnswers(handlers, surroundings.context.compression) : handlers;
    return { match: host.match, value };
  });
  const hosts = createHostTable(entries, site);
  const pipeline = createPipeline({ hosts, explainHeader: surroundings.explainHeader });
  const file = surroundings.accessLogs.get(site.access_log?.path ?? "");
  if (site.access_log === undefined || file === undefined) return pipeline;
  return createAccessLogHandler(pipeline, {
    format: createAccessFormat(site.access_log.format),
    file,
    clients,
  });
}

/** Without a backend there is only the page of one's own, if there is one. */
function notFoundPage({ error_pages }: HostConfig, errors: ErrorAnswers): HostHandlers["proxy"] {
  return error_pages[404] === undefined
    ? undefined
    : { handle: (exchange) => void errors.answer(exchange, 404) };
}

function createSiteClients({ trusted_proxies, trusted_headers }: SiteConfig): ClientAddressResolver {
  const trusts = (name: SiteConfig["trusted_headers"][number]): boolean => trusted_headers.includes(name);
  return createClientAddress(trusted_proxies, {
    forwarded: trusts("forwarded"),
    xForwardedFor: trusts("x-forwarded-for"),
    xForwardedHost: trusts("x-forwarded-host"),
    xForwardedProto: trusts("x-forwarded-proto"),
    xForwardedBy: trusts("x-forwarded-by"),
  });
}

function createRules(
  { project }: HostConfig,
  { config, replicas, context }: SiteSurroundings,
): ProjectHandler | undefined {
  const source = project === undefined ? undefined : replicas.get(project);
  const settings = project === undefined ? undefined : config.projects[project];
  if (project === undefined || source === undefined || settings === undefined) return undefined;
  const { compat, debug } = settings;
  const [requests, hits] = [context.redirectRequests, context.hitsOf(project)];
  return createRedirectHandler({ project, source, compat, debug, hits, requests });
}

function createHostProxy(
  site: SiteConfig,
  host: HostConfig,
  {
    forward,
    clients,
    errors,
    viaName,
  }: {
    readonly forward: Forward;
    readonly viaName: string;
    readonly clients: ClientAddressResolver;
    readonly errors: ErrorAnswers;
  },
): ProxyHandler {
  return createProxyHandler({
    forward,
    errors,
    host: host.preserve_host ? undefined : backendHost(host.forward?.upstreams[0] ?? ""),
    clients,
    forwarding: createForwarding(host.forwarded_for_strategy, { by: "" }),
    viaName,
    requestIdHeader: site.request_id,
  });
}

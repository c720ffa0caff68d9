import { createLog, parseConfig } from "@posthouse/service";
import { createMetrics } from "../../src/core/metrics.ts";
import { createClientAddress } from "../../src/http/client-address.ts";
import { createHttpCounters, type HttpCounters } from "../../src/http/http-metrics.ts";
import { createNode1Server } from "../../src/http/node1.ts";
import { agentConfigSchema } from "../../src/index.ts";
import { createErrorAnswers } from "../../src/proxy/error-answers.ts";
import type { Forward } from "../../src/proxy/forward.ts";
import { createForwarding } from "../../src/proxy/forwarded.ts";
import { createForwards, forwardKey } from "../../src/proxy/forwards.ts";
import { createProxyHandler } from "../../src/proxy/handler.ts";
import { createForwardCounters } from "../../src/proxy/metrics.ts";

export interface ProxyParts extends AsyncDisposable {
  readonly port: number;
  /** By host. */
  readonly forwards: ReadonlyMap<string, Forward>;
  readonly http: HttpCounters;
  metrics(): Promise<string>;
}

/** A listener and its forwards without an agent around them, so that a test can look into both. */
export async function startProxyParts(hosts: Readonly<Record<string, unknown>>): Promise<ProxyParts> {
  const list = Object.entries(hosts).map(([host, forward]) => ({ match: [host], forward }));
  const text = JSON.stringify({
    name: "parts",
    state: "unused",
    admin: { listen: "127.0.0.1:0" },
    projects: {},
    sites: [{ listen: "127.0.0.1:0", hosts: list }],
  });
  const config = parseConfig(text, "posthouse.yaml", agentConfigSchema, {});
  const log = createLog({ format: "json", level: "silent" });
  const metrics = createMetrics();
  const made = await createForwards(
    config,
    { log, forwardCounters: createForwardCounters(metrics) },
    undefined,
  );
  const forwards = new Map<string, Forward>();
  for (const host of config.sites.flatMap((site) => site.hosts)) {
    const forward = made.get(forwardKey(host));
    if (forward !== undefined) forwards.set(host.match[0] ?? "", forward);
  }
  const handlers = new Map(
    [...forwards].map(([host, forward]) => [
      host,
      createProxyHandler({
        forward,
        host: undefined,
        clients: createClientAddress([]),
        forwarding: createForwarding("xforwarded", { by: "" }),
        viaName: "posthouse-00000000",
        requestIdHeader: undefined,
        errors: createErrorAnswers({ pages: new Map() }),
      }),
    ]),
  );
  const counters = createHttpCounters(metrics)("parts");
  const server = createNode1Server({
    name: "parts",
    listen: { host: "127.0.0.1", port: 0 },
    role: {
      handler: {
        handle: (exchange) => handlers.get(exchange.authority)?.handle(exchange, exchange.authority),
      },
      counters,
    },
    log,
  });
  for (const forward of forwards.values()) await forward.start();
  await server.start();
  return {
    port: server.address?.port ?? 0,
    forwards,
    http: counters,
    metrics: () => metrics.text(),
    async [Symbol.asyncDispose]() {
      await server.stop(500);
      for (const forward of forwards.values()) await forward.stop(500);
    },
  };
}

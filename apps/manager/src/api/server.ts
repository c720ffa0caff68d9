import type { Log } from "@posthouse/service";
import fastify, { type FastifyInstance } from "fastify";
import type { Metrics } from "../metrics.ts";
import type { Stores } from "../store/stores.ts";
import { registerAgentApi } from "./agent-api.ts";
import { registerAuth } from "./auth.ts";
import { registerErrorAnswers } from "./error-answers.ts";
import type { EventHub } from "./event-hub.ts";
import { registerManagementApi } from "./management-api.ts";
import { registerOperationRoutes } from "./operation-routes.ts";
import { registerSyncApi } from "./sync-api.ts";

export interface ServerOptions {
  readonly stores: Stores;
  readonly events: EventHub;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly isReady: () => Promise<boolean>;
  /** Name of the header that carries tokens. */
  readonly authorizationHeader: string;
}

const bodyLimit = 1024 * 1024;
const headersMs = 10_000;
const requestMs = 10 * 60_000;
const silentMs = 2 * 60_000; // no byte either way; event streams send one each 15 s

/** The HTTP server with every route, not yet listening. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { stores, events, metrics, log } = options;
  const app = fastify({
    bodyLimit,
    requestTimeout: requestMs,
    connectionTimeout: silentMs,
    keepAliveTimeout: 72_000,
    http: { headersTimeout: headersMs },
    exposeHeadRoutes: false,
    forceCloseConnections: false,
    routerOptions: { maxParamLength: 512 },
  });
  registerErrorAnswers(app, log);
  registerAuth(app, { stores, header: options.authorizationHeader.toLowerCase() });
  app.addHook("onResponse", async (request, reply) => {
    const route = request.is404 ? "none" : (request.routeOptions.url ?? "none");
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    metrics.requestEnded(labels, reply.elapsedTime / 1000);
  });
  registerOperationRoutes(app, options);
  const prefix = "/api/namespace/:ns/project/:prj";
  await app.register(async (scope) => registerAgentApi(scope, stores), { prefix });
  await app.register(async (scope) => registerSyncApi(scope, stores, events), { prefix });
  await app.register(async (scope) => registerManagementApi(scope, stores), { prefix: "/api/v1" });
  await app.ready();
  return app;
}

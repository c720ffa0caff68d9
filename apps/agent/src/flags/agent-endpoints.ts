/** What FeatBit's back-end and operators ask of an agent (3.1 to 3.4), and what agents ask that come after this one. */
import { isPosthouseError } from "@posthouse/protocol";
import type { Secret } from "@posthouse/service";
import { isSameSecret } from "../core/token.ts";
import { answerText, type Exchange, headerValue } from "../http/exchange.ts";
import { BodyRefused, readJson, readJsonBytes } from "../http/json-body.ts";
import type { FlagSource } from "../replica/featbit/flag-source.ts";
import type { FlagStore } from "../replica/featbit/flag-store.ts";
import { applyBootstrap, createBackup } from "../replica/featbit/manual.ts";
import { answerJson, answerProblem } from "./answers.ts";
import type { RelayAccess } from "./relay-access.ts";
import type { Route } from "./router.ts";

export interface AgentEndpointsOptions {
  readonly store: FlagStore;
  readonly source: () => FlagSource | undefined;
  readonly relays: RelayAccess;
  readonly apiKey: () => Secret | undefined;
  readonly maxBootstrapBytes: () => number;
}

export interface AgentEndpoints {
  readonly liveness: Route;
  readonly readiness: Route;
  readonly status: Route;
  readonly bootstrap: Route;
  readonly backup: Route;
  readonly register: Route;
}

const maxAgentIdBytes = 4096;

export function createAgentEndpoints(options: AgentEndpointsOptions): AgentEndpoints {
  const { store, source, relays, apiKey, maxBootstrapBytes } = options;
  const given = (exchange: Exchange): string => (headerValue(exchange, "authorization") ?? "").trim();

  const withKey =
    (route: Route): Route =>
    (exchange, query) => {
      const key = apiKey();
      return key !== undefined && isSameSecret(given(exchange), key)
        ? route(exchange, query)
        : answerProblem(exchange, 401);
    };

  return {
    liveness: (exchange) => answerHealth(exchange, 200, "Healthy"),
    readiness(exchange) {
      if (!store.isPopulated) answerHealth(exchange, 503, "Unhealthy");
      else answerHealth(exchange, 200, source()?.status.degraded === undefined ? "Healthy" : "Degraded");
    },
    status: withKey((exchange) => answerJson(exchange, JSON.stringify(source()?.relayStatus() ?? {}))),
    backup: withKey((exchange) => answerJson(exchange, JSON.stringify(createBackup(store.state)))),
    bootstrap: withKey(async (exchange) => {
      const document = await readJsonBytes(exchange, maxBootstrapBytes());
      const answer = await applyBootstrap(store, document).catch((error: unknown) => {
        throw isPosthouseError(error) ? new BodyRefused(400, error.message) : error;
      });
      answerJson(exchange, JSON.stringify(answer));
    }),
    async register(exchange) {
      const agentId = await readJson(exchange, maxAgentIdBytes);
      if (typeof agentId !== "string" || agentId.trim() === "")
        throw new BodyRefused(400, "expected the agent's id as a JSON string");
      if (relays.find(given(exchange)) === undefined) return answerProblem(exchange, 401);
      relays.register(agentId);
      answerText(exchange, 200, agentId);
    },
  };
}

function answerHealth(exchange: Exchange, status: number, text: string): void {
  answerText(exchange, status, text, ["Cache-Control", "no-store, no-cache", "Pragma", "no-cache"]);
}

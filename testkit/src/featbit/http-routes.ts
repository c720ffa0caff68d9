/** What the fake FeatBit answers over HTTP: registration of agents, and insights. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { answerWrong, type FeatbitFaults } from "./faults.ts";
import { environmentOf } from "./secrets.ts";
import type { FeatbitWorld } from "./world.ts";

export interface RegisteredAgent {
  readonly id: string;
  readonly key: string;
  readonly registeredAt: Date;
  /** JSON, as the agent sent it last; `{}` before. */
  status: string;
}

export interface InsightRequest {
  readonly authorization: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** What the sender was told; undefined when it was told nothing. */
  readonly status: number | undefined;
}

export interface HttpRecord {
  /** By id. */
  readonly agents: Map<string, RegisteredAgent>;
  /** Every registration that was tried: the answer's status and the body. */
  readonly registrations: { readonly status: number | undefined; readonly body: string }[];
  readonly insights: InsightRequest[];
  /** Most agents of the workspace. FeatBit's own quota is 9 without a licence. */
  quota: number;
}

export type HttpRoutes = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export function createHttpRoutes(world: FeatbitWorld, faults: FeatbitFaults, record: HttpRecord): HttpRoutes {
  async function register(request: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
    const key = request.headers.authorization ?? "";
    const wrong = faults.register && (await answerWrong(faults.register, response));
    if (!wrong) {
      const id = bodyOf(request, body);
      if (typeof id !== "number" && typeof id.value !== "string") problem(response, 400);
      else if (typeof id === "number") problem(response, id);
      else if (!key.startsWith("rp-") || !world.hasRelayKey(key)) problem(response, 401);
      else if (record.agents.size >= record.quota) problem(response, 403);
      else {
        const known = String(id.value);
        if (!record.agents.has(known))
          record.agents.set(known, { id: known, key, registeredAt: new Date(), status: "{}" });
        response.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end(known);
      }
    }
    record.registrations.push({ status: statusOf(response), body });
  }

  async function track(request: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
    const { authorization = "" } = request.headers;
    const take = (status: number | undefined): void => {
      record.insights.push({ authorization, headers: request.headers, body, status });
    };
    const fault = faults.insights;
    if (fault?.afterTaking) take(200);
    if (fault !== undefined && (await answerWrong(fault, response))) {
      if (!fault.afterTaking) take(statusOf(response));
      return;
    }
    const events = bodyOf(request, body);
    if (typeof events === "number") problem(response, events);
    else if (environmentOf(authorization) === undefined) problem(response, 401);
    else response.writeHead(200).end();
    if (!fault?.afterTaking) take(statusOf(response));
  }

  return async (request, response) => {
    const body = await readText(request);
    const { pathname } = new URL(request.url ?? "/", "http://featbit");
    const line = `${request.method} ${pathname.toLowerCase()}`;
    if (line === "POST /api/public/agent/register") await register(request, response, body);
    else if (line === "POST /api/public/insight/track") await track(request, response, body);
    else if (line === "GET /health/liveness")
      response.writeHead(200, { "content-type": "text/plain" }).end("Healthy");
    else response.writeHead(404).end();
  };
}

const statusOf = (response: ServerResponse): number | undefined =>
  response.headersSent ? response.statusCode : undefined;

/** The parsed body, or the status that refuses it: this comes before the key is looked at. */
function bodyOf(request: IncomingMessage, text: string): { readonly value: unknown } | 400 | 415 {
  if (!/^application\/(?:[^;]*\+)?json/i.test(request.headers["content-type"] ?? "")) return 415;
  try {
    return { value: JSON.parse(text) };
  } catch {
    return 400;
  }
}

const titles: Readonly<Record<number, string>> = {
  400: "One or more validation errors occurred.",
  401: "Unauthorized",
  403: "Forbidden",
  415: "Unsupported Media Type",
};

function problem(response: ServerResponse, status: number): void {
  response
    .writeHead(status, { "content-type": "application/problem+json; charset=utf-8" })
    .end(JSON.stringify({ type: "about:blank", title: titles[status], status, traceId: "00-0-0-00" }));
}

async function readText(request: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces).toString();
}

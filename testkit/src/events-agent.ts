/** An agent with one subscription, for measurements: it is told when to drain, and asked how far it is. */
import { type AgentPeer, startAgent } from "./peer-agent.ts";
import { until } from "./until.ts";

export interface EventsAgent extends AgentPeer {
  /** Resolves when it is so. */
  want(state: "start" | "stop"): Promise<void>;
  status(): Promise<EventsAgentStatus>;
}

/** What is looked at of `/events/subscriptions/NAME`. */
export interface EventsAgentStatus {
  readonly state: string;
  readonly lastError: { readonly message: string } | undefined;
  readonly broker:
    | {
        readonly received: number;
        readonly pending: number;
        readonly dropped: number;
        readonly gaps: number;
        readonly disconnects?: number;
      }
    | undefined;
  readonly spool: { readonly records: number; readonly bytes: number };
}

export interface EventsAgentOptions {
  readonly broker: string;
  readonly apiUrl: string;
  readonly spoolSize?: string;
  readonly nodeOptions?: readonly string[];
  /** Answers redirects as well; else events are all that it does. */
  readonly hasSite?: boolean;
  /** As it is installed, not from source. */
  readonly isBuilt?: boolean;
}

const token = "bench-of-events";
const name = "bench-prod";
export const queue = "leek.fanout";
export const exchange = "celeryev";
/** What it answers, with a site. */
export const redirect = { type: "BASIC", source: "/old", target: "/new", status: "MOVED_PERMANENT" } as const;

/** With the subscription stopped: nothing is received before it is told to start. Batches are as Leek's are by default. */
export async function startEventsAgent({
  broker,
  apiUrl,
  spoolSize = "4GiB",
  nodeOptions = [],
  isBuilt = false,
  hasSite = false,
}: EventsAgentOptions): Promise<EventsAgent> {
  const subscription = {
    ...{ broker, exchange, queue, app_name: "bench", app_env: "prod", app_key: "secret" },
    ...{ api_url: apiUrl, spool_size: spoolSize },
  };
  const agent = await startAgent({
    ...(hasSite && { items: [{ id: 1, kind: "redirect", ...redirect }] }),
    ...{ nodeOptions, isBuilt },
    events: { token, subscriptions: [subscription] },
  });

  async function ask(path: string, method = "GET"): Promise<EventsAgentStatus> {
    const url = `http://127.0.0.1:${agent.adminPort}/events/subscriptions/${name}${path}`;
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(url, { method, headers, signal: AbortSignal.timeout(60_000) });
    if (!answer.ok) throw new Error(`${method} ${path} is answered with ${await answer.text()}`);
    return (await answer.json()) as EventsAgentStatus;
  }

  async function want(state: "start" | "stop"): Promise<void> {
    await ask(`/${state}`, "POST");
    const wanted = state === "start" ? "running" : "stopped";
    await until(`the subscription is ${wanted}`, async () => (await ask("")).state === wanted, 30_000);
  }

  try {
    await want("stop");
  } catch (error) {
    await agent.stop();
    throw error;
  }
  return { ...agent, want, status: () => ask("") };
}

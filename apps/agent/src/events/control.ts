/** What people and scripts do with subscriptions and dead letters over HTTP, and the page for it. */
import { isPosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import * as z from "zod";
import type { Exchange } from "../http/exchange.ts";
import { BodyRefused, readJson } from "../http/json-body.ts";
import {
  type ControlOperation,
  cleanUpBody,
  controlRoutes,
  listQuery,
  removalQuery,
  selection,
} from "./control-routes.ts";
import { exportDeadLetters } from "./dead-letter-export.ts";
import type { EventsJob, SubscriptionStatus } from "./job.ts";
import type { WantedState } from "./messages.ts";
import { answerPage, isPage } from "./page.ts";

export interface EventsControl {
  readonly path: "/events/";
  isOpen(path: string): boolean;
  handle(exchange: Exchange, path: string, query: URLSearchParams): void;
}

interface Reply {
  readonly status: number;
  readonly value: unknown;
}

interface Asked {
  readonly name: string;
  readonly query: Readonly<Record<string, string>>;
  body(): Promise<unknown>;
}

type Operation = (asked: Asked) => Promise<Reply>;

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly operation: ControlOperation;
}

const routes: readonly Route[] = Object.entries(controlRoutes).map(([operation, { method, path }]) => ({
  method,
  path: new RegExp(`^${path.replace("{name}", "([^/]+)")}$`),
  operation: operation as ControlOperation,
}));
const mostBytes = 256 * 1024;

export function createEventsControl(job: EventsJob, log: Log): EventsControl {
  const ok = (value: unknown): Reply => ({ status: 200, value });

  async function statusOf(name: string, status = 200): Promise<Reply> {
    const found = find(job.status().subscriptions, name);
    return found === undefined ? notFound(name) : { status, value: found };
  }

  async function then(name: string, done: Promise<unknown>): Promise<Reply> {
    await done;
    return statusOf(name);
  }

  const want =
    (state: WantedState): Operation =>
    ({ name }) =>
      then(name, job.call("want", name, state));

  /** The export is answered as it is read. */
  const operations: Readonly<Record<Exclude<ControlOperation, "exportDeadLetters">, Operation>> = {
    listSubscriptions: async () => ok(job.status()),
    addSubscription: async ({ body }) => statusOf(await job.call("add", await body()), 201),
    readSubscription: ({ name }) => statusOf(name),
    changeSubscription: async ({ name, body }) => then(name, job.call("change", name, await body())),
    async removeSubscription({ name, query }) {
      const { queue } = removalQuery.parse(query);
      return ok(await job.call("remove", name, { deleteQueue: queue === "delete" }));
    },
    startSubscription: want("running"),
    pauseSubscription: want("paused"),
    stopSubscription: want("stopped"),
    restartSubscription: ({ name }) => then(name, job.call("restart", name)),
    async cleanUp({ name, body }) {
      const { dry_run: dryRun } = cleanUpBody.parse(await body());
      return ok({ dryRun, found: await job.call("cleanUp", name, { dryRun }) });
    },
    async listDeadLetters({ query }) {
      const { subscription, after, limit } = listQuery.parse(query);
      return ok({ deadLetters: await job.call("listDeadLetters", { subscription, after, limit }) });
    },
    replayDeadLetters: async ({ body }) =>
      ok(await job.call("replayDeadLetters", selection.parse(await body()))),
    dropDeadLetters: async ({ body }) =>
      ok({ dropped: await job.call("dropDeadLetters", selection.parse(await body())) }),
  };

  async function answer(exchange: Exchange, operation: Operation, asked: Asked): Promise<void> {
    let reply: Reply;
    try {
      reply = await operation(asked);
    } catch (error) {
      if (exchange.aborted) return;
      reply = refusalOf(error);
      if (reply.status === 500) log.error({ error, target: exchange.target }, "could not answer a request");
    }
    if (!exchange.aborted) answerJson(exchange, reply);
  }

  return {
    path: "/events/",
    isOpen: isPage,
    handle(exchange, path, query) {
      const { method } = exchange;
      const asked = method === "HEAD" ? "GET" : method;
      if (isPage(path)) {
        if (asked === "GET") return answerPage(exchange, path);
        return answerJson(exchange, refuse(405, "METHOD_NOT_ALLOWED", "here is GET"), ["Allow", "GET, HEAD"]);
      }
      const here = routes.filter((route) => route.path.test(path));
      if (here.length === 0) return answerJson(exchange, refuse(404, "NOT_FOUND", "there is nothing here"));
      const route = here.find((each) => each.method === asked);
      if (route === undefined) {
        const allowed = here.map((each) => each.method).join(", ");
        return answerJson(exchange, refuse(405, "METHOD_NOT_ALLOWED", `here is ${allowed}`), [
          "Allow",
          allowed,
        ]);
      }
      const { operation } = route;
      if (operation === "exportDeadLetters") {
        const found = listQuery.safeParse(Object.fromEntries(query));
        if (found.success) return exportDeadLetters(exchange, job, found.data, log);
        return answerJson(exchange, refusalOf(found.error));
      }
      void answer(exchange, operations[operation], {
        name: decoded(route.path.exec(path)?.[1] ?? ""),
        query: Object.fromEntries(query),
        body: () => readJson(exchange, mostBytes),
      });
    },
  };
}

const find = (all: readonly SubscriptionStatus[], name: string): SubscriptionStatus | undefined =>
  all.find((each) => each.name === name);

const refuse = (status: number, code: string, message: string, hint?: string): Reply => ({
  status,
  value: { code, message, hint },
});
const notFound = (name: string): Reply =>
  refuse(404, "SUBSCRIPTION_UNKNOWN", `there is no subscription ${name}`);

function refusalOf(error: unknown): Reply {
  if (error instanceof BodyRefused) return refuse(error.status, "INVALID_BODY", error.message);
  if (error instanceof z.ZodError) {
    const issues = error.issues.map(({ path, message }) =>
      [path.join("."), message].filter(Boolean).join(": "),
    );
    return refuse(400, "INVALID_QUERY", issues.join("; "));
  }
  if (!isPosthouseError(error)) return refuse(500, "INTERNAL_ERROR", "internal error; the log tells more");
  return refuse(statusOfCode(error.code), error.code, error.message, error.hint);
}

const statuses: Readonly<Record<string, number>> = {
  SUBSCRIPTION_UNKNOWN: 404,
  SUBSCRIPTION_EXISTS: 409,
  SUBSCRIPTION_CLASHES: 409,
  SUBSCRIPTION_FIXED: 409,
  SUBSCRIPTION_STOPPED: 409,
  SUBSCRIPTION_NOT_REDIS: 409,
  SUBSCRIPTION_NOT_RABBITMQ: 409,
  SUBSCRIPTIONS_TOO_MANY: 409,
  SUBSCRIPTION_RENAMED: 400,
};

/** What was given is wrong: 400; what it names does not work: 422; we cannot at the moment: 503. */
function statusOfCode(code: string): number {
  if (code.startsWith("CONFIG_")) return 400;
  if (code.startsWith("BROKER_") || code.startsWith("EVENTS_TARGET_")) return 422;
  return statuses[code] ?? 503;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function answerJson(exchange: Exchange, { status, value }: Reply, headers: readonly string[] = []): void {
  const type = ["Content-Type", "application/json", "Cache-Control", "no-store"];
  exchange.answer(status, [...headers, ...type], `${JSON.stringify(value)}\n`);
}

import { isPosthouseError } from "@posthouse/protocol";
import {
  durationSchema,
  isShown,
  type Secret,
  secretSchema,
  shownMessage,
  sizeSchema,
} from "@posthouse/service";
import * as z from "zod";
import { parseBrokerUrls } from "../events/broker-url.ts";

/** One broker queue to drain into one API, with Leek's names for its settings. Times in ms and sizes in bytes, but for the keys that name their unit. */
export interface SubscriptionConfig {
  /** `<app_name>-<app_env>`: it is known by that. */
  readonly name: string;
  readonly broker: Secret;
  readonly failover_strategy: "round-robin" | "shuffle";
  readonly exchange: string;
  readonly queue: string;
  readonly routing_key: string;
  readonly quorum: boolean;
  readonly pair: boolean;
  readonly org_name: string;
  readonly app_name: string;
  readonly app_env: string;
  /** Both are there unless `webhook` is. */
  readonly api_url?: string | undefined;
  readonly app_key?: Secret | undefined;
  readonly webhook?: WebhookConfig | undefined;
  readonly gzip: boolean;
  readonly prefetch_count: number;
  readonly concurrency_pool_size: number;
  readonly batch_max_size_in_mb: number;
  readonly batch_max_number_of_messages: number;
  readonly batch_max_window_in_seconds: number;
  readonly carry_unknown: boolean;
  readonly request_timeout: number;
  readonly spool_size: number;
  readonly compat?: "leek" | undefined;
}

export interface WebhookConfig {
  readonly url: string;
  readonly secret?: Secret | undefined;
  readonly format: "json" | "ndjson";
}

/** Lower case letters as Python's `isalpha` and `islower` see them; they travel in HTTP headers, so of Latin-1. */
const lowercase = z
  .string()
  .regex(
    /^[a-z\u00aa\u00b5\u00ba\u00df-\u00f6\u00f8-\u00ff]+$/,
    "expected lower case letters only (a to z, ß to ÿ), no digits, no - and _",
  )
  .max(100, "expected 100 letters at most");

/** What can travel in an HTTP header. */
const headerText = /^[\x21-\x7e\u00a1-\u00ff](?:[\x20-\x7e\u00a1-\u00ff]*[\x21-\x7e\u00a1-\u00ff])?$/;
const headerMessage = "travels in an HTTP header and holds something that cannot";

const header = z
  .string()
  .min(1, "is empty")
  .max(200, "expected 200 characters at most")
  .regex(headerText, headerMessage);

const amqpName = z
  .string()
  .min(1, "is empty")
  .refine((text) => Buffer.byteLength(text) <= 255, "longer than 255 bytes");

const httpUrl = z
  .url({ protocol: /^https?$/, error: "expected an http or https URL" })
  .refine((text) => !URL.canParse(text) || new URL(text).username === "", "may not hold a user")
  .refine((text) => !isShown(text), shownMessage);

const whole = (from: number, to: number, about: string): z.ZodInt => {
  const error = `expected a whole number from ${from} to ${to}`;
  return z.int({ error }).min(from, { error }).max(to, { error }).describe(about) as z.ZodInt;
};

const unused = (about: string): z.ZodType => z.string().nullish().describe(`${about}; accepted and not used`);

const fields = z.strictObject({
  broker: secretSchema.describe(
    "address of RabbitMQ or Redis as kombu writes it; several, separated by ;, take turns",
  ),
  failover_strategy: z
    .enum(["round-robin", "shuffle"])
    .default("round-robin")
    .describe("the order in which several brokers take turns"),
  broker_management_url: unused("of RabbitMQ, for Leek's pages"),
  backend: unused("of Celery's results"),
  exchange: amqpName.default("celeryev").describe("Celery's `event_exchange`"),
  queue: amqpName.default("leek.fanout").describe("declared at RabbitMQ and bound to the exchange"),
  routing_key: z.string().max(255).default("#").describe("which events: # is all"),
  quorum: z
    .boolean()
    .default(false)
    .describe("RabbitMQ: declare a quorum queue, which keeps events when the broker restarts"),
  pair: z
    .boolean()
    .default(false)
    .describe("Redis: two agents, of which one delivers, chosen by a lease key"),
  org_name: header.default("mono").describe("organisation in Leek; mono without authentication"),
  app_name: lowercase.describe("application in Leek"),
  app_env: lowercase.describe(
    "environment: a tag on every document; with app_name it names the subscription",
  ),
  api_url: httpUrl.optional().describe("the Leek API, without /v1; needed unless there is a webhook"),
  app_key: secretSchema
    .refine((key) => headerText.test(key.reveal()), headerMessage)
    .optional()
    .describe("key of the application in Leek, needed with api_url"),
  webhook: z
    .strictObject({
      url: httpUrl.describe("takes POSTs of events"),
      secret: secretSchema.optional().describe("signs each request with HMAC-SHA-256"),
      format: z.enum(["json", "ndjson"]).default("json").describe("a list, or an event per line"),
    })
    .optional()
    .describe("deliver there, in place of a Leek API"),
  gzip: z
    .boolean()
    .default(false)
    .describe("compress requests; Leek's API needs a proxy before it that unpacks them"),
  prefetch_count: whole(1000, 10_000, "messages that RabbitMQ sends ahead").default(1000),
  concurrency_pool_size: whole(
    1,
    20,
    "requests under way at a time; events of one task stay in order",
  ).default(1),
  batch_max_size_in_mb: whole(1, 10, "of a request, in MiB").default(1),
  batch_max_number_of_messages: whole(1, 10_000, "events of a request; by default prefetch_count").optional(),
  batch_max_window_in_seconds: whole(
    5,
    20,
    "how long an event waits at most for others to be sent with",
  ).default(5),
  carry_unknown: z
    .boolean()
    .optional()
    .describe(
      "deliver `task-cancelled` and fields that Leek does not know, in place of refusing those events; by default with a webhook",
    ),
  request_timeout: durationSchema
    .prefault("2m")
    .refine((ms) => ms >= 1000, "shorter than 1s")
    .describe("for a request and its answer"),
  spool_size: sizeSchema
    .prefault("1GiB")
    .refine((bytes) => bytes >= 16 * 2 ** 20, "less than 16MiB")
    .describe("on disk, for what could not be delivered yet"),
  compat: z.enum(["leek"]).optional().describe("as Leek's agent: a path in api_url is left out"),
});

/** Checks and completes one subscription. */
export const subscriptionSchema: z.ZodType<SubscriptionConfig> = fields
  .check(({ value, issues }) => {
    if (issues.length > 0) return;
    const refuse = (path: string[], message: string): void =>
      void issues.push({ code: "custom", input: value, path, message });
    const kind = brokerKind(value.broker, value.failover_strategy, (rule) => refuse(["broker"], rule));
    if (value.quorum && kind === "redis") refuse(["quorum"], "is of RabbitMQ, and the broker is Redis");
    if (value.pair && kind === "amqp")
      refuse(["pair"], "is of Redis; with RabbitMQ any number of agents share a queue as they are");
    const { webhook, prefetch_count: prefetch, batch_max_number_of_messages: count } = value;
    if (count !== undefined && count > prefetch)
      refuse(["batch_max_number_of_messages"], `expected at most prefetch_count, ${prefetch}`);
    for (const key of ["api_url", "app_key"] as const) {
      if (webhook === undefined && value[key] === undefined) refuse([key], "is missing; or name a `webhook`");
      if (webhook !== undefined && value[key] !== undefined)
        refuse([key], "events go to `webhook` or to a Leek API, not to both");
    }
  })
  .transform(({ broker_management_url: _url, backend: _backend, ...rest }) => ({
    ...rest,
    name: `${rest.app_name}-${rest.app_env}`,
    carry_unknown: rest.carry_unknown ?? rest.webhook !== undefined,
    batch_max_number_of_messages: rest.batch_max_number_of_messages ?? rest.prefetch_count,
  }));

function brokerKind(
  broker: Secret,
  strategy: SubscriptionConfig["failover_strategy"],
  refuse: (rule: string) => void,
): "amqp" | "redis" | undefined {
  try {
    return parseBrokerUrls(broker.reveal(), "", strategy).kind;
  } catch (error) {
    if (!isPosthouseError(error)) throw error;
    refuse(error.message.replace(/^: /, ""));
    return undefined;
  }
}

/** The name of a subscription of which nothing is known to be right. */
export function nameOfRaw(raw: unknown): string | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const { app_name, app_env } = raw as Record<string, unknown>;
  return typeof app_name === "string" && typeof app_env === "string" ? `${app_name}-${app_env}` : undefined;
}

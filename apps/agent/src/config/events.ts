import type { Secret } from "@posthouse/service";
import * as z from "zod";
import { type SubscriptionConfig, subscriptionSchema } from "./subscription.ts";
import { findClashes } from "./subscription-clashes.ts";

/** The events job: what is carried from brokers to APIs. */
export interface EventsConfig {
  readonly subscriptions: readonly SubscriptionConfig[];
  readonly subscriptions_file?: string | undefined;
  /** Of Leek's container: what the file's subscriptions are read with. Only from its environment variables. */
  readonly surroundings?: LeekSurroundings | undefined;
}

/** What Leek's container says of all its subscriptions. */
export interface LeekSurroundings {
  /** API and agent run together: all subscriptions go there with this key. */
  readonly local?: { readonly apiUrl: string; readonly appKey: Secret } | undefined;
  /** Without authentication there is one organisation. */
  readonly organisation?: string | undefined;
}

/** So many are enough for one thread. */
export const mostSubscriptions = 100;

export const eventsSchema: z.ZodType<EventsConfig> = z
  .strictObject({
    subscriptions: z.array(subscriptionSchema).max(mostSubscriptions).default([]),
    subscriptions_file: z
      .string()
      .min(1, "is empty")
      .optional()
      .describe("Leek's own subscriptions.json, watched: further subscriptions"),
  })
  .check(({ value, issues }) => {
    if (issues.length > 0) return;
    for (const { index, path, message } of findClashes(value.subscriptions))
      issues.push({ code: "custom", input: value, path: ["subscriptions", index, ...path], message });
  });

/** What the control API takes, route by route: the server checks requests with it, and the reference describes it. */
import * as z from "zod";
import { subscriptionSchema } from "../config/subscription.ts";

const subscription = z.string().min(1).max(300);

export interface DeadLetterListQuery {
  readonly subscription?: string | undefined;
  readonly after: number;
  readonly limit: number;
}

export const listQuery: z.ZodType<DeadLetterListQuery> = z.strictObject({
  subscription: subscription.optional().describe("of this subscription only"),
  after: z.coerce.number().int().min(0).default(0).describe("those with a higher id"),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe("at most so many"),
});

export const selection: z.ZodType<{
  readonly ids?: readonly number[] | undefined;
  readonly subscription?: string | undefined;
}> = z.union(
  [
    z.strictObject({ ids: z.array(z.int().min(1)).min(1).max(10_000) }),
    z.strictObject({ subscription: subscription.describe("all of this subscription") }),
  ],
  { error: 'expected either {"ids": [1, 2]} or {"subscription": "NAME"} for all of it' },
);

export const removalQuery: z.ZodType<{ readonly queue: "keep" | "delete" }> = z.strictObject({
  queue: z
    .enum(["keep", "delete"])
    .default("keep")
    .describe(
      "delete: also deletes the queue at RabbitMQ, with what is in it, unless something else receives from it",
    ),
});

export const cleanUpBody: z.ZodType<{ readonly dry_run: boolean }> = z.strictObject({
  dry_run: z.boolean().describe("true: only tell; false: deliver or remove it"),
});

export interface ControlRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below `/events/`. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Of what was done. Default 200. */
  readonly status?: 201;
  /** Besides 400, 401, 403 and 503, which any may get. */
  readonly refusals?: readonly number[];
  readonly contentType?: "application/x-ndjson";
}

const one = "subscriptions/{name}";

export type ControlOperation =
  | "listSubscriptions"
  | "addSubscription"
  | "readSubscription"
  | "changeSubscription"
  | "removeSubscription"
  | "startSubscription"
  | "pauseSubscription"
  | "stopSubscription"
  | "restartSubscription"
  | "cleanUp"
  | "listDeadLetters"
  | "exportDeadLetters"
  | "replayDeadLetters"
  | "dropDeadLetters";

export const controlRoutes: Readonly<Record<ControlOperation, ControlRoute>> = {
  listSubscriptions: {
    method: "GET",
    path: "subscriptions",
    summary: "All subscriptions: states, rates, lag, spool, last error",
  },
  addSubscription: {
    method: "POST",
    path: "subscriptions",
    summary: "Adds one, after its broker and receiver were tried",
    body: subscriptionSchema,
    status: 201,
    refusals: [409, 413, 415, 422],
  },
  readSubscription: { method: "GET", path: one, summary: "One subscription", refusals: [404] },
  changeSubscription: {
    method: "PUT",
    path: one,
    summary: "Changes one that was added",
    body: subscriptionSchema,
    refusals: [404, 409, 413, 415, 422],
  },
  removeSubscription: {
    method: "DELETE",
    path: one,
    summary: "Removes one that was added; its queue at RabbitMQ stays unless that is to be deleted",
    query: removalQuery,
    refusals: [404, 409, 422],
  },
  startSubscription: {
    method: "POST",
    path: `${one}/start`,
    summary: "Ends a pause or a stop",
    refusals: [404],
  },
  pauseSubscription: {
    method: "POST",
    path: `${one}/pause`,
    summary: "Receives and keeps; remembered",
    refusals: [404],
  },
  stopSubscription: {
    method: "POST",
    path: `${one}/stop`,
    summary: "Receives and delivers nothing; remembered",
    refusals: [404],
  },
  restartSubscription: { method: "POST", path: `${one}/restart`, summary: "Connects anew", refusals: [404] },
  cleanUp: {
    method: "POST",
    path: `${one}/clean-up`,
    summary: "What Leek's agent left in Redis",
    body: cleanUpBody,
    refusals: [404, 409, 413, 415],
  },
  listDeadLetters: {
    method: "GET",
    path: "dead-letters",
    summary: "Dead letters in order of their ids; long ones shortened",
    query: listQuery,
  },
  exportDeadLetters: {
    method: "GET",
    path: "dead-letters/export",
    summary: "All of them after an id, whole, an object per line",
    query: listQuery,
    contentType: "application/x-ndjson",
  },
  replayDeadLetters: {
    method: "POST",
    path: "dead-letters/replay",
    summary: "Puts them back on their way",
    body: selection,
    refusals: [409, 413, 415],
  },
  dropDeadLetters: {
    method: "POST",
    path: "dead-letters/drop",
    summary: "Forgets them",
    body: selection,
    refusals: [413, 415],
  },
};

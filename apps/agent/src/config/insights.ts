import { durationSchema, type Secret, secretSchema, sizeSchema } from "@posthouse/service";
import * as z from "zod";

/** What SDKs report: evaluations and metrics of users. Times in milliseconds, sizes in bytes. */
export interface InsightsConfig {
  readonly mode: "forward" | "keep" | "drop";
  readonly event_uri?: string | undefined;
  readonly queue: number;
  readonly max_age: number;
  readonly body: number;
  /** Share of users, 0 to 1. */
  readonly sample: number;
  /** Keys of flags. */
  readonly skip_flags: readonly string[];
  readonly anonymise?: AnonymiseConfig | undefined;
}

export type Treatment = (typeof treatments)[number];

export interface AnonymiseConfig {
  readonly hash_key?: Secret | undefined;
  readonly key_id: "keep" | "hash";
  readonly name: Treatment;
  /** By name in lower case. */
  readonly attributes: Readonly<Record<string, Treatment>>;
  readonly other_attributes: Treatment;
}

const treatments = ["keep", "remove", "hash", "truncate_ip"] as const;
const treatment = z.enum(treatments);

const eventUri = z.url({ protocol: /^https?$/, error: "expected an http or https URL" }).refine((text) => {
  if (!URL.canParse(text)) return true;
  const { username, search, hash } = new URL(text);
  return `${username}${search}${hash}` === "";
}, "may hold neither a user nor a query");

const anonymiseSchema = z
  .strictObject({
    hash_key: secretSchema
      .optional()
      .describe("key of the hash (HMAC-SHA-256): the same value gives the same hash as long as it stays"),
    key_id: z.enum(["keep", "hash"]).default("hash").describe("what becomes of a user's keyId"),
    name: treatment.default("remove").describe("what becomes of a user's name"),
    attributes: z
      .record(z.string().min(1), treatment)
      .default({})
      .transform((all) =>
        Object.fromEntries(Object.entries(all).map(([name, how]) => [name.toLowerCase(), how])),
      )
      .describe(
        "what becomes of custom properties, by name in any case: keep, remove, hash, or truncate_ip (IPv4 to /24, IPv6 to /48; what is no address is removed)",
      ),
    other_attributes: treatment.default("remove").describe("what becomes of all other custom properties"),
  })
  .check(({ value, issues }) => {
    if (issues.length > 0 || value.hash_key !== undefined) return;
    const { key_id, name, attributes, other_attributes } = value;
    if ([key_id, name, other_attributes, ...Object.values(attributes)].includes("hash"))
      issues.push({
        code: "custom",
        input: value,
        path: ["hash_key"],
        message: "is wanted where something is hashed",
      });
  });

/** `flags.insights`. */
export const insightsSchema: z.ZodType<InsightsConfig> = z
  .strictObject({
    mode: z
      .enum(["forward", "keep", "drop"])
      .optional()
      .describe(
        "forward: to FeatBit; keep: on this machine, to be fetched from the admin address; drop. By default forward where there is an event_uri, else drop",
      ),
    event_uri: eventUri.optional().describe("FeatBit's evaluation server, for mode forward"),
    queue: sizeSchema
      .prefault("256MiB")
      .refine((bytes) => bytes >= 2 ** 20, "less than 1MiB")
      .describe(
        "what may wait on disk; above it SDKs are asked to try again, and in mode keep the oldest go",
      ),
    max_age: durationSchema
      .prefault("168h")
      .refine((ms) => ms >= 1000, "shorter than 1s")
      .describe("how long an event waits, or is kept; older ones are dropped"),
    body: sizeSchema
      .prefault("1MiB")
      .describe(
        "body of a request; what is larger is dropped, since a refusal would silence the SDK for good",
      ),
    sample: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe(
        "share of users whose events are taken, 0 to 1; always the same ones, so that experiments hold",
      ),
    skip_flags: z
      .array(z.string().min(1))
      .default([])
      .describe("keys of flags whose evaluations are dropped"),
    anonymise: anonymiseSchema
      .optional()
      .describe("makes users unrecognisable before anything is written to disk"),
  })
  .check(({ value, issues }) => {
    if (issues.length > 0 || value.mode !== "forward" || value.event_uri !== undefined) return;
    issues.push({ code: "custom", input: value, path: ["event_uri"], message: "is wanted in mode forward" });
  })
  .transform(({ mode, ...rest }) => ({
    ...rest,
    mode: mode ?? (rest.event_uri === undefined ? "drop" : "forward"),
  })) as unknown as z.ZodType<InsightsConfig>;

import {
  durationSchema,
  type ListenAddress,
  type Secret,
  secretSchema,
  sizeSchema,
} from "@posthouse/service";
import * as z from "zod";
import {
  environmentNameSchema,
  type FlagSourceConfig,
  flagSourceProblems,
  flagSourceShape,
} from "./flag-source.ts";
import { type InsightsConfig, insightsSchema } from "./insights.ts";
import { type ListenerConfig, listenerShape } from "./listener.ts";
import { makeSiteLimitsSchema, type SiteLimits } from "./site-limits.ts";

/** The flags job: FeatBit's SDKs connect here. Times in milliseconds, sizes in bytes. */
export interface FlagsConfig extends ListenerConfig, FlagSourceConfig {
  readonly limits: SiteLimits;
  readonly token_tolerance: number;
  readonly relay_keys: readonly RelayKeyConfig[];
  readonly sessions: SessionLimits;
  readonly bodies: BodyLimits;
  readonly insights: InsightsConfig;
}

export interface RelayKeyConfig {
  readonly key: Secret;
  readonly environments?: readonly string[] | undefined;
}

export interface SessionLimits {
  readonly queue: number;
  readonly send_time: number;
  readonly silence: number;
}

export interface BodyLimits {
  readonly bootstrap: number;
  readonly user: number;
}

const relayKey = secretSchema.refine(
  (key) => /^rp-./.test(key.reveal()),
  'expected a key that begins with "rp-"',
);

const { listen, ...listener } = listenerShape;

export const flagsSchema: z.ZodType<FlagsConfig> = z
  .strictObject({
    listen: (listen as z.ZodType<ListenAddress, string>).prefault("0.0.0.0:6100"),
    ...listener,
    ...flagSourceShape,
    limits: makeSiteLimitsSchema(50_000).prefault({} as SiteLimits),
    token_tolerance: durationSchema
      .prefault("30s")
      .describe("how far an SDK's clock may be from this machine's; SDKs beyond it are refused for good"),
    relay_keys: z
      .array(
        z.strictObject({
          key: relayKey.describe("what the other agent carries as its key: rp-..."),
          environments: z
            .array(environmentNameSchema)
            .min(1)
            .optional()
            .describe("those it gets, as PROJECT:ENVIRONMENT or by id; without it all"),
        }),
      )
      .default([])
      .describe("other agents that have their flags from this one"),
    sessions: z
      .strictObject({
        queue: sizeSchema
          .prefault("256KiB")
          .describe("replies that may wait for one SDK which does not read; beyond it the socket is closed"),
        send_time: durationSchema
          .prefault("15s")
          .refine((ms) => ms >= 100, "shorter than 100ms")
          .describe("how long an SDK may take for what it was sent"),
        silence: durationSchema
          .prefault("60s")
          .refine((ms) => ms >= 1000, "shorter than 1s")
          .describe("how long nothing may come from an SDK, not even the answer to a ping"),
      })
      .prefault({}),
    bodies: z
      .strictObject({
        bootstrap: sizeSchema.prefault("30MB").describe("body of a bootstrap; above it 413"),
        user: sizeSchema
          .prefault("64KiB")
          .describe("body of a client SDK that polls, or of an OpenFeature SDK; above it 413"),
      })
      .prefault({}),
    insights: insightsSchema.prefault({} as InsightsConfig),
  })
  .check(({ value, issues }) => {
    if (issues.length > 0) return;
    for (const { path, message } of flagSourceProblems(value))
      issues.push({ code: "custom", input: value, path: [...path], message });
  }) as unknown as z.ZodType<FlagsConfig>;

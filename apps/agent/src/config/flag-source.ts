/** Where the flags come from: the part of `flags` in the configuration that is not about SDKs. */
import { durationSchema, type Secret, secretSchema, sizeSchema } from "@posthouse/service";
import * as z from "zod";

export interface FlagSourceConfig {
  readonly mode: "auto" | "manual" | "offline";
  readonly streaming_uri?: string | undefined;
  readonly api_key?: Secret | undefined;
  readonly agent_id?: string | undefined;
  readonly file?: string | undefined;
  /** By environment id. */
  readonly secrets: Readonly<Record<string, readonly FlagSecretConfig[]>>;
  /** Times in milliseconds, sizes in bytes. */
  readonly full_sync_every: number;
  readonly ping_every: number;
  readonly message_size: number;
}

export interface FlagSecretConfig {
  readonly key: Secret;
  readonly type: "server" | "client";
  readonly project: string;
  readonly env: string;
}

const streamingUri = z
  .url({ protocol: /^(wss?|https?)$/, error: "expected a ws, wss, http or https URL" })
  .refine((text) => {
    if (!URL.canParse(text)) return true;
    const { username, search, hash } = new URL(text);
    return `${username}${search}${hash}` === "";
  }, "may hold neither a user nor a query; the key has a setting of its own");

const environmentSecret: z.ZodType<FlagSecretConfig, unknown> = z.strictObject({
  key: secretSchema
    .refine((key) => key.reveal().length === 44, "an environment secret has 44 characters")
    .describe("the environment secret"),
  type: z.enum(["server", "client"]).describe("which SDKs carry it"),
  project: z.string().default("").describe("key of the project, as status shows it"),
  env: z.string().default("").describe("key of the environment, as status shows it"),
});

const guid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const wantedId = "expected the id of an environment, such as 3f2b8c1e-7a54-4d0b-9c6e-2f1d0a9b8c7d";

const environmentId = z.string().regex(new RegExp(`^${guid}$`, "i"), wantedId);

/** `PROJECT:ENVIRONMENT` or an id. */
export const environmentNameSchema: z.ZodType<string, string> = z
  .string()
  .regex(
    new RegExp(`^(?:${guid}|[^:\\s]+:[^:\\s]+)$`, "i"),
    "expected PROJECT:ENVIRONMENT or an environment's id",
  );

/** The keys of `flags` that say where the flags come from. */
export const flagSourceShape: {
  readonly [Key in keyof FlagSourceConfig]-?: z.ZodType<FlagSourceConfig[Key], unknown>;
} = {
  mode: z
    .enum(["auto", "manual", "offline"])
    .default("auto")
    .describe(
      "auto: in step with FeatBit; manual: what somebody posts to /api/public/proxy/bootstrap; offline: a file",
    ),
  streaming_uri: streamingUri.optional().describe("FeatBit's evaluation server; wanted in mode auto"),
  api_key: secretSchema
    .optional()
    .describe("key of the relay proxy, rp-…; wanted in the modes auto and manual"),
  agent_id: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      "name under which FeatBit counts this agent, for ever: keep it stable; by default the name of this instance",
    ),
  file: z
    .string()
    .min(1)
    .optional()
    .describe(
      "wanted in mode offline, watched: a dump of FeatBit Agent v2 or v1, a featbit.db of v1, or the copy of another agent",
    ),
  secrets: z
    .record(environmentId, z.array(environmentSecret))
    .default({})
    .check(({ value, issues }) => {
      const seen = new Set<string>();
      for (const id of Object.keys(value)) {
        const lower = id.toLowerCase();
        if (seen.has(lower))
          issues.push({
            code: "custom",
            input: value,
            path: [id],
            message: "stands twice, in different case",
          });
        seen.add(lower);
      }
    })
    .describe("in mode offline, keys for environments by id: dumps of v1 hold none"),
  full_sync_every: durationSchema
    .prefault("5m")
    .refine((ms) => ms >= 1000, "shorter than 1s")
    .describe("how often everything is fetched anew, which heals what single changes missed"),
  ping_every: durationSchema
    .prefault("15s")
    .refine((ms) => ms >= 100, "shorter than 100ms")
    .describe("how often FeatBit is asked for a sign of life; none within two of these is a dead link"),
  message_size: sizeSchema
    .prefault("256MiB")
    .describe("the largest message of FeatBit, or flag file, that is read"),
};

/** What is missing for the mode. */
export function* flagSourceProblems(config: FlagSourceConfig): Generator<{
  readonly path: readonly string[];
  readonly message: string;
}> {
  const { mode } = config;
  const wanted = (key: "streaming_uri" | "api_key" | "file"): { path: string[]; message: string } => ({
    path: [key],
    message: `is wanted in mode ${mode}`,
  });
  if (mode === "auto" && config.streaming_uri === undefined) yield wanted("streaming_uri");
  if (mode !== "offline" && config.api_key === undefined) yield wanted("api_key");
  if (mode === "offline" && config.file === undefined) yield wanted("file");
}

export const flagSourceSchema: z.ZodType<FlagSourceConfig, unknown> = z
  .strictObject(flagSourceShape)
  .check(({ value, issues }) => {
    if (issues.length > 0) return;
    for (const { path, message } of flagSourceProblems(value))
      issues.push({ code: "custom", input: value, path: [...path], message });
  });

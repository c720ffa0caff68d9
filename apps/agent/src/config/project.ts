import { codeSchema } from "@posthouse/protocol";
import { durationSchema, type Secret, secretSchema, sizeSchema } from "@posthouse/service";
import * as z from "zod";
import { ruleFileFormat } from "../replica/rule-file-format.ts";

/** Its rules come from a Manager or from a file: one of the two is there. */
export interface ProjectConfig {
  readonly manager?: ManagerSourceConfig | undefined;
  readonly file?: string | undefined;
  readonly compat?: "flecto" | undefined;
  /** Flecto's debug headers; only with `compat`. */
  readonly debug: boolean;
  readonly limits: LimitsConfig;
}

/** What the patterns of one project may cost. */
export interface LimitsConfig {
  readonly regex_time: number;
  readonly regex_uri: number;
  readonly pattern_size: number;
  readonly compiled_patterns: number;
}

export interface ManagerSourceConfig {
  readonly url: string;
  readonly namespace: string;
  readonly project: string;
  readonly token: Secret;
  readonly authorization_header: string;
  readonly check_every: number;
  readonly push: boolean;
}

const managerUrl = z
  .url({ protocol: /^https?$/, error: "expected an http or https URL" })
  .refine((text) => !URL.canParse(text) || !(new URL(text).username || new URL(text).search), {
    error: "may hold neither a user nor a query; the token has a key of its own",
  });

const managerSchema = z.strictObject({
  url: managerUrl.describe("the Manager, Posthouse's or Flecto's"),
  namespace: codeSchema.describe("code of the namespace"),
  project: codeSchema.describe("code of the project"),
  token: secretSchema.describe("API token with redirect:read, page:read and agent:write"),
  authorization_header: z
    .string()
    .regex(/^[A-Za-z0-9-]+$/, "expected the name of a header")
    .default("Authorization")
    .describe("name of the header that carries the token"),
  check_every: durationSchema
    .prefault("5m")
    .refine((ms) => ms >= 1000, "shorter than 1s")
    .describe("how often the version is asked for"),
  push: z.boolean().default(true).describe("listen for new versions, where the Manager offers it"),
});

const limitsSchema = z.strictObject({
  regex_time: durationSchema
    .prefault("20ms")
    .refine((ms) => ms >= 1, "shorter than 1ms")
    .describe("time for the patterns of one request; the rest is passed over"),
  regex_uri: sizeSchema.prefault("2KiB").describe("no pattern is tried on a longer path and query"),
  pattern_size: z
    .int()
    .min(1)
    .max(5000)
    .default(250)
    .describe("steps in the program of a pattern; a larger one is refused"),
  compiled_patterns: z.int().min(1).default(20_000).describe("compiled patterns that are kept"),
});

const ruleFile = z.string().refine((path) => ruleFileFormat(path) !== undefined, {
  error: "the name must end with .yaml, .yml, .json, .tsv or .csv, or be _redirects",
});

export const projectSchema: z.ZodType<ProjectConfig> = z
  .strictObject({
    manager: managerSchema.optional(),
    file: ruleFile
      .optional()
      .describe("rules from a file, in place of a Manager: .yaml, .json, .tsv, .csv or _redirects"),
    compat: z.enum(["flecto"]).optional().describe("answer as Flecto's Go agents do, with their misses"),
    debug: z
      .boolean()
      .default(false)
      .describe("with `compat: flecto`: its X-Middleware-Flecto headers on every answer"),
    limits: limitsSchema.prefault({}),
  })
  .check(({ value, issues }) => {
    if (issues.length > 0) return;
    const { manager, file, compat, debug } = value;
    const refuse = (path: string[], message: string): void =>
      void issues.push({ code: "custom", input: value, path, message });
    if (manager === undefined && file === undefined) refuse([], "names neither `manager` nor `file`");
    if (manager !== undefined && file !== undefined)
      refuse(["file"], "a project has `manager` or `file`, not both");
    if (debug && compat === undefined)
      refuse(["debug"], "these are Flecto's headers: it needs `compat: flecto`");
  });

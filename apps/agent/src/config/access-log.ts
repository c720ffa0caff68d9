import { suggestionText } from "@posthouse/service";
import * as z from "zod";
import { unknownVariable } from "../http/access-log/format.ts";
import { variableNames } from "../http/access-log/variables.ts";
import { inputJsonSchema } from "./input-json-schema.ts";

/** Where a site's requests are written down, and how. */
export interface AccessLogConfig {
  /** A file, or `stdout`. */
  readonly path: string;
  readonly format: string;
}

const format = z.string().check(({ value, issues }) => {
  const refuse = (message: string): void => void issues.push({ code: "custom", input: value, message });
  if (value === "combined" || value === "json") return;
  if (!value.includes("$")) return refuse("expected combined, json, or a template with $variables");
  if (/[\r\n]/.test(value)) return refuse("a template is one line");
  const unknown = unknownVariable(value);
  if (unknown !== undefined)
    refuse(`there is no variable $${unknown}${suggestionText(unknown, variableNames)}`);
});

/** Words of other servers that would make a file of that name. */
const noPaths = ["off", "on", "none", "false", "true", "no", "yes", "combined", "json"];

const path = z
  .string("expected a file to append to, or stdout; leave access_log out for none")
  .min(1)
  .refine((text) => !noPaths.includes(text.toLowerCase()), {
    error: ({ input }) => `"${input}" is no file: write a path or stdout; leave access_log out for none`,
  });

const full = z.strictObject({
  path: path.describe("file to append to, or stdout"),
  format: format
    .default("combined")
    .describe('combined, json, or a template such as "$remote_addr $request $status"'),
});

/** A file, or a file and the format of its lines. */
export const accessLogSchema: z.ZodType<AccessLogConfig> = z
  .union([path.transform((text) => ({ path: text })), z.looseObject({})])
  .pipe(full)
  .meta({ anyOf: [{ type: "string" }, inputJsonSchema(full)] }) as unknown as z.ZodType<AccessLogConfig>;

/** What is wrong between the template and `request_id` of its site. */
export function requestIdProblem(format: string | undefined, header: string | undefined): string | undefined {
  if (header !== undefined || format === undefined || !/\$request_id\b/.test(format)) return undefined;
  return "$request_id would always be -: requests have an id only where `request_id` of the site names its header";
}

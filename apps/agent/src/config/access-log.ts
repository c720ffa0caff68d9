import { suggestionText } from "@posthouse/service";
import * as z from "zod";
import { unknownVariable } from "../http/access-log/format.ts";
import { variableNames } from "../http/access-log/variables.ts";

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

export const accessLogSchema: z.ZodType<AccessLogConfig> = z.strictObject({
  path: z.string().min(1).describe("file to append to, or stdout"),
  format: format
    .default("combined")
    .describe('combined, json, or a template such as "$remote_addr $request $status"'),
}) as unknown as z.ZodType<AccessLogConfig>;

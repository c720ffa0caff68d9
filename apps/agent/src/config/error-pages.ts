import * as z from "zod";

/** Files by the status that they stand for. */
export type ErrorPagesConfig = Readonly<Record<string, string>>;

const statuses = ["404", "408", "413", "502", "503", "504", "508"];

export const errorPagesSchema: z.ZodType<ErrorPagesConfig> = z
  .record(z.string(), z.string().min(1))
  .check(({ value, issues }) => {
    for (const status of Object.keys(value)) {
      if (statuses.includes(status)) continue;
      const message = `the agent itself answers only ${statuses.join(", ")}`;
      issues.push({ code: "custom", input: value, path: [status], message });
    }
  })
  .default({})
  .describe("files (.html, .json, .txt) shown with errors of the agent's own, by status");

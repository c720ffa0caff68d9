import * as z from "zod";
import { Secret } from "./secret.ts";

const password = /(\/\/[^/@:\s]*):[^/@\s]+@/g;

/** The effective configuration as plain values for people to read: secrets and passwords in URLs are `[hidden]`. */
export function describeConfig(config: unknown): unknown {
  if (config instanceof Secret) return config.toJSON();
  if (typeof config === "string") return config.replace(password, "$1:[hidden]@");
  if (Array.isArray(config)) return config.map(describeConfig);
  if (typeof config === "object" && config !== null) {
    return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, describeConfig(value)]));
  }
  return config;
}

/** JSON Schema of what a user writes in the file, for editors. */
export function configJsonSchema(schema: z.ZodType, title: string): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }), title };
}

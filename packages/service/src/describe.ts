import * as z from "zod";
import { Secret } from "./secret.ts";

const password = /(\/\/[^/?#@:\s]*):[^/?#\s]*@/g;
const user = /(\b(?:https?|wss?):\/\/)[^/?#\s]*@/gi;
const query = /(\b[a-z][a-z0-9+.-]*:\/\/[^?#\s]*)\?[^#\s]+/gi;

/**
 * The effective configuration as plain values for people to read: secrets are `[hidden]`, and so is what may be one in a
 * URL, which is passwords, queries, and with HTTP and WebSocket users too.
 */
export function describeConfig(config: unknown): unknown {
  if (config instanceof Secret) return config.toJSON();
  if (typeof config === "string") return withoutUrlSecrets(config);
  if (Array.isArray(config)) return config.map(describeConfig);
  if (typeof config === "object" && config !== null) {
    return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, describeConfig(value)]));
  }
  return config;
}

function withoutUrlSecrets(text: string): string {
  if (!text.includes("//")) return text;
  return text.replace(user, "$1[hidden]@").replace(password, "$1:[hidden]@").replace(query, "$1?[hidden]");
}

/** JSON Schema of what a user writes in the file, for editors. */
export function configJsonSchema(schema: z.ZodType, title: string): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }), title };
}

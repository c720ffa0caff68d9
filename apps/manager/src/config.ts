import { type ListenAddress, listenSchema, sizeSchema } from "@posthouse/service";
import * as z from "zod";

/** What the Manager is told at its start. */
export interface ManagerConfig {
  readonly listen: ListenAddress;
  readonly database: { readonly path: string };
  readonly log: {
    readonly level: "debug" | "info" | "warn" | "error" | "silent";
    readonly format: "json" | "pretty";
  };
  readonly limits: {
    /** Bytes of one page. */
    readonly page: number;
    /** Bytes of all pages of a project. */
    readonly pagesOfProject: number;
    /** Agents that may listen for new versions at once. */
    readonly eventStreams: number;
  };
}

const mib = 1024 * 1024;

/** Reads the Manager's configuration; every key has a default. */
export const managerConfigSchema: z.ZodType<ManagerConfig> = z.strictObject({
  listen: listenSchema.default({ host: "127.0.0.1", port: 8080 }),
  database: z.strictObject({ path: z.string().min(1).default("./posthouse.db") }).prefault({}),
  log: z
    .strictObject({
      level: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
      format: z.enum(["json", "pretty"]).default("json"),
    })
    .prefault({}),
  limits: z
    .strictObject({
      page: sizeSchema.default(mib),
      pagesOfProject: sizeSchema.default(100 * mib),
      eventStreams: z.int().min(0).max(100_000).default(5_000),
    })
    .prefault({}),
});

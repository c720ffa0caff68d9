import { durationSchema, type ListenAddress, listenSchema, sizeSchema } from "@posthouse/service";
import * as z from "zod";

/** What the Manager is told at its start. */
export interface ManagerConfig {
  readonly listen: ListenAddress;
  readonly database: { readonly path: string };
  readonly log: {
    readonly level: "debug" | "info" | "warn" | "error" | "silent";
    readonly format?: "json" | "pretty" | undefined;
  };
  readonly limits: {
    /** Bytes of one page. */
    readonly page: number;
    /** Bytes of all pages of a project. */
    readonly pages_of_project: number;
    /** Agents that may listen for new versions at once. */
    readonly event_streams: number;
  };
  readonly agents: {
    /** Milliseconds without a word after which an agent counts as offline. */
    readonly offline_after: number;
  };
  /** Name of the header that carries `Bearer TOKEN`. */
  readonly authorization_header: string;
  readonly journal: {
    /** 0 keeps all. */
    readonly max_events_per_project: number;
    readonly max_administration_events: number;
    /** Milliseconds; 0 never purges. */
    readonly purge_interval: number;
  };
}

/** Reads the Manager's configuration; every key has a default. */
export const managerConfigSchema: z.ZodType<ManagerConfig> = z.strictObject({
  listen: listenSchema.prefault("127.0.0.1:8080").describe("address of the API"),
  database: z
    .strictObject({ path: z.string().min(1).default("./posthouse.db").describe("the SQLite file") })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(["debug", "info", "warn", "error", "silent"])
        .default("info")
        .describe("the least important entries that are written"),
      format: z.enum(["json", "pretty"]).optional().describe("by default pretty on a terminal, else json"),
    })
    .prefault({}),
  limits: z
    .strictObject({
      page: sizeSchema.prefault("1MiB").describe("bytes of one page"),
      pages_of_project: sizeSchema.prefault("100MiB").describe("bytes of all pages of a project"),
      event_streams: z
        .int()
        .min(0)
        .max(100_000)
        .default(5_000)
        .describe("agents that may listen for new versions at once"),
    })
    .prefault({}),
  agents: z
    .strictObject({
      offline_after: durationSchema
        .refine((ms) => ms >= 1_000, "at least 1s")
        .prefault("6h")
        .describe("time without a word after which an agent counts as offline"),
    })
    .prefault({}),
  authorization_header: z
    .string()
    .regex(/^[A-Za-z0-9-]+$/, "may hold letters, digits and - only")
    .default("Authorization")
    .describe("name of the header that carries tokens"),
  journal: z
    .strictObject({
      max_events_per_project: z
        .int()
        .min(0)
        .default(1_000)
        .describe("events kept in a project's journal, the newest; 0 keeps all"),
      max_administration_events: z
        .int()
        .min(0)
        .default(10_000)
        .describe("events kept about users, roles, tokens, namespaces and projects; 0 keeps all"),
      purge_interval: durationSchema
        .prefault("1h")
        .describe("time between two removals of old events; 0s never removes any"),
    })
    .prefault({}),
});

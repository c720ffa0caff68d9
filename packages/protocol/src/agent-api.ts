import * as z from "zod";
import type { Page } from "./page.ts";
import type { Redirect } from "./redirect.ts";

/** Flecto's agent API, as its clients know it. Paths are below `projectPath`. */
export const codePattern: RegExp = /^[a-zA-Z0-9_-]+$/;
export const codeSchema: z.ZodType<string> = z
  .string()
  .max(50)
  .regex(codePattern, "may hold letters, digits, - and _ only");

/** `/api/namespace/NS/project/PRJ` */
export function projectPath(namespace: string, project: string): string {
  return `/api/namespace/${encodeURIComponent(namespace)}/project/${encodeURIComponent(project)}`;
}

/** A page of a list. Key order and capitals are Flecto's. */
export interface ListPage<T extends Redirect | Page> {
  readonly Items: readonly T[];
  readonly Total: number;
  readonly Limit: number;
  readonly Offset: number;
  readonly Next?: string;
}

/** What an agent says of itself (`POST …/agents`). `load_duration` is in nanoseconds. */
export interface AgentReport {
  readonly name: string;
  readonly status: "success" | "error";
  readonly type: "default" | "traefik";
  readonly version: number;
  readonly load_duration: number;
  readonly error: string;
}

/** Response header of `GET …/version` that tells our clients: snapshot, changes and events are offered here. */
export const syncHeader = "posthouse-sync";

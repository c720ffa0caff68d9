import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redirect } from "@posthouse/protocol";
import { createLog, type Log } from "@posthouse/service";
import {
  createManager,
  type Grants,
  type Manager,
  type ManagerConfig,
  managerConfigSchema,
} from "../src/index.ts";

/** A Manager over real HTTP with a database of its own. */
export interface Harness {
  readonly directory: string;
  readonly databasePath: string;
  readonly manager: Manager;
  /** A token that may do everything. */
  readonly admin: string;
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** Below the project `ns/prj` of the management API. */
  project(method: string, path: string, json?: unknown): Promise<Answer>;
  /** Below the project `ns/prj` of the agent API. */
  agent(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface RequestOptions {
  readonly token?: string | null;
  readonly json?: unknown;
  readonly body?: RequestInit["body"];
  readonly headers?: Record<string, string>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  readonly json: any;
}

export const everything: Grants = {
  permissions: [{ namespace: "*", project: "*", resource: "*", action: "*" }],
  admin: [{ section: "*", action: "*" }],
};

export function configFor(databasePath: string, limits: object = {}, more: object = {}): ManagerConfig {
  const database = { path: databasePath };
  return managerConfigSchema.parse({ listen: "127.0.0.1:0", database, limits, ...more });
}

export const silentLog: Log = createLog({ format: "json", level: "silent" });

/** Starts a Manager with the empty project `ns/prj`. */
export async function startHarness(limits: object = {}, more: object = {}): Promise<Harness> {
  const directory = await mkdtemp(join(tmpdir(), "manager-"));
  const databasePath = join(directory, "posthouse.db");
  let manager = createManager(configFor(databasePath, limits, more), { log: silentLog });
  await manager.start();
  const admin = await manager.issueToken("test", everything);

  async function request(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    const headers = new Headers(options.headers);
    const token = options.token === undefined ? admin : options.token;
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    if (options.json !== undefined) headers.set("content-type", "application/json");
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    const response = await fetch(manager.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
    } as RequestInit);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parse(text) };
  }

  const header = (more as { authorization_header?: string }).authorization_header;
  const make = (path: string, json: object): Promise<Answer> =>
    request("POST", path, {
      json,
      ...(header === undefined ? {} : { token: null, headers: { [header]: `Bearer ${admin}` } }),
    });
  await make("/api/v1/namespaces", { code: "ns", name: "Namespace" });
  await make("/api/v1/namespaces/ns/projects", { code: "prj", name: "Project" });
  return {
    directory,
    databasePath,
    get manager() {
      return manager;
    },
    admin,
    request,
    project: (method, path, json) =>
      request(method, `/api/v1/namespaces/ns/projects/prj${path}`, json === undefined ? {} : { json }),
    agent: (method, path, options) => request(method, `/api/namespace/ns/project/prj${path}`, options),
    async restart() {
      await manager.stop(5_000);
      manager = createManager(configFor(databasePath, limits, more), { log: silentLog });
      await manager.start();
    },
    async close() {
      await manager.stop(5_000);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function redirect(source: string, target = "/target"): Redirect {
  return { type: "BASIC", source, target, status: "FOUND" };
}

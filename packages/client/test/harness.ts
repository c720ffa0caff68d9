import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PageItem, RedirectItem } from "@posthouse/protocol";
import { onTestFinished } from "vitest";
import { type Client, type ClientEvent, type ClientOptions, createClient } from "../src/index.ts";
import { type FakeManager, startFakeManager } from "./fake-manager.ts";

export const redirect = (id: number, source: string, target = `/to${source}`): RedirectItem => ({
  id,
  kind: "redirect",
  type: "BASIC",
  source,
  target,
  status: "FOUND",
});

export const page = (id: number, path: string, content = "hello"): PageItem => ({
  id,
  kind: "page",
  type: "BASIC",
  path,
  content,
  contentType: "TEXT_PLAIN",
});

export const redirects = (count: number): RedirectItem[] =>
  Array.from({ length: count }, (_, i) => redirect(i + 1, `/r${i + 1}`));

/** Where a redirect of the client leads. */
export function targetOf(client: Client, uri: string): string | undefined {
  const match = client.ruleSet?.match("example.com", uri);
  return match?.kind === "redirect" ? match.target : undefined;
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-client-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function manager(): Promise<FakeManager> {
  const fake = await startFakeManager();
  onTestFinished(() => fake.close());
  return fake;
}

export interface Watched {
  readonly client: Client;
  readonly events: ClientEvent[];
  /** Codes of the failures so far. */
  failures(): string[];
}

type Given = Partial<Omit<ClientOptions, "manager" | "agent">> & {
  url: string;
  token?: string;
  name?: string;
  namespace?: string;
  project?: string;
};

/** A client with short waits, that is stopped when the test ends. */
export function client(given: Given): Watched {
  const {
    url,
    token = "secret",
    name = "shop.example.com",
    namespace = "test",
    project = "shop",
    ...options
  } = given;
  const events: ClientEvent[] = [];
  const made = createClient({
    manager: { url, namespace, project, token },
    agent: { name },
    push: false,
    backoff: { firstMs: 20, maxMs: 50 },
    timeouts: { headersMs: 1_500, idleMs: 1_500, totalMs: 10_000, refusedMs: 50 },
    ...options,
    onEvent(event) {
      events.push(event);
      options.onEvent?.(event);
    },
  });
  onTestFinished(() => made.stop());
  return {
    client: made,
    events,
    failures: () => events.flatMap((event) => (event.type === "failed" ? [event.error.code] : [])),
  };
}

/** Waits until something holds. */
export async function until(holds: () => boolean, withinMs = 15_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`this did not come to hold: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page, Redirect } from "@posthouse/protocol";
import { createLog, parseConfig } from "@posthouse/service";
import { exchangeBytes, parseAnswer, type RawAnswer } from "@posthouse/testkit/raw-http";
import { answers, until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Agent, agentConfigSchema, createAgent } from "../src/index.ts";
import { type FakeManager, startFakeManager } from "./fake-manager.ts";
import { portOf } from "./harness.ts";

interface HttpCase {
  readonly name: string;
  readonly level: string;
  readonly redirects: readonly Redirect[];
  readonly pages: readonly Page[];
  readonly request: { readonly host: string; readonly uri: string; readonly method?: string };
  readonly debug?: boolean;
  readonly expect:
    | { readonly kind: "http"; readonly status: number; readonly headers: Headers; readonly body: string }
    | { readonly kind: "next"; readonly added_headers: Headers };
}
type Headers = Readonly<Record<string, string>>;

const file = new URL("../../../packages/rules/test/vectors/flecto.json", import.meta.url);
const cases = (JSON.parse(readFileSync(file, "utf8")) as HttpCase[]).filter(({ level }) => level === "http");

/** What the test rig of the vectors had loaded. */
const version = 7;
/** Headers that every server adds; Go's gives no length with a HEAD and with a large page, ours may. */
const ownHeaders = /^(date|connection|keep-alive)$/i;

let manager: FakeManager;
let agent: Agent;
let state = "";

/** One agent, and a project and a site for each case. */
beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "posthouse-vectors-"));
  manager = await startFakeManager([]);
  const projects: Record<string, unknown> = {};
  for (const [index, { redirects, pages, debug = false }] of cases.entries()) {
    const project = `case-${index}`;
    manager.projects.set(project, { version, redirects, pages });
    const source = { url: manager.url, namespace: "vectors", project, token: "good", push: false };
    projects[project] = { manager: source, compat: "flecto", debug };
  }
  const sites = Object.keys(projects).map((project) => ({
    listen: "127.0.0.1:0",
    hosts: [{ match: ["*"], project }],
  }));
  const config = { name: "vectors", state, admin: { listen: "127.0.0.1:0" }, projects, sites };
  agent = createAgent(parseConfig(JSON.stringify(config), "posthouse.yaml", agentConfigSchema, {}), {
    log: createLog({ format: "json", level: "silent" }),
  });
  await agent.start();
  const ready = `http://${agent.addresses.admin}/health/ready`;
  await until("the agent has its rules", () => answers(ready, 200));
});
afterAll(async () => {
  await agent.stop(2000);
  await manager.stop();
  await rm(state, { recursive: true, force: true });
});

async function ask(index: number): Promise<RawAnswer> {
  const { host, uri, method = "GET" } = cases[index]?.request ?? { host: "", uri: "" };
  const head = `${method} ${uri} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  return parseAnswer(await exchangeBytes(portOf(agent.addresses.sites[index]), Buffer.from(head, "utf8")));
}

/** The header lines but for those that do not matter, as the vectors write them. */
function comparable(answer: RawAnswer, isLengthKnown: boolean): Headers {
  const kept = answer.headers.filter(
    ([name]) => !ownHeaders.test(name) && (isLengthKnown || name !== "Content-Length"),
  );
  return Object.fromEntries(kept);
}

const isAscii = (text: string): boolean => [...text].every((character) => character < "\u0080");

describe("the answers of Flecto's middleware, by an agent over sockets", () => {
  it("are many", () => expect(cases.length).toBeGreaterThan(30));

  it.each(cases.map(({ name }, index) => [name, index] as const))("%s", async (_name, index) => {
    const { request, expect: wanted } = cases[index] as HttpCase;
    const answer = await ask(index);
    if (!isAscii(request.uri)) {
      // A request line of ASCII is all that HTTP allows; ours refuses the rest.
      expect(answer.status).toBe(400);
    } else if (wanted.kind === "next") {
      expect(answer.status).toBe(404);
      const { "Content-Type": _type, ...added } = comparable(answer, false);
      expect(added).toEqual(wanted.added_headers);
    } else {
      expect(answer.status).toBe(wanted.status);
      expect(comparable(answer, Object.hasOwn(wanted.headers, "Content-Length"))).toEqual(wanted.headers);
      expect(Buffer.from(answer.body, "latin1").toString("utf8")).toBe(wanted.body);
    }
  });
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { agentConfigSchema, createAgent } from "@posthouse/agent";
import { createLog, parseConfig } from "@posthouse/service";
import { exchangeBytes, parseAnswer, type RawAnswer } from "@posthouse/testkit/raw-http";
import { convertFlecto } from "../../apps/posthouse/src/convert/flecto.ts";
import { forProject, type Project, startManager } from "./manager.ts";
import { difference, type Vector } from "./vector.ts";

const settledWithinMs = 30_000;

/** What an agent with `compat: flecto` sends must be what the middleware sends; where that passes on, ours has a 404. */
export async function checkHttp(vector: Vector): Promise<string | undefined> {
  const { debug, expect, request } = vector;
  const config = {
    manager_url: "MGR",
    namespace_code: "ns",
    project_code: "p",
    token_jwt: "t",
    agent_name: "a",
  };
  const answer = await ask({ ...vector, config: { ...config, debug } });
  // Our HTTP parser refuses what may not stand in a request line.
  if (answer.status === 400 && /[^ -~]/.test(request.uri)) return undefined;
  const headers = Object.fromEntries(answer.headers.map(([name, value]) => [name, utf8(value)]));
  if (expect?.kind === "next") {
    const added = Object(expect.added_headers) as Record<string, string>;
    const kept = Object.fromEntries(Object.keys(added).map((name) => [name, headers[name]]));
    return (
      difference("status", { status: 404 }, { status: answer.status }) ??
      difference("headers added", added, kept)
    );
  }
  const body = utf8(answer.body);
  const found = { kind: "http", status: answer.status, headers: comparable(headers, vector), body };
  return difference("the answer", expect && { ...expect, headers: sorted(Object(expect.headers)) }, found);
}

/** Which project a host gets shows in the Location of its rules. */
export async function checkHostSelection(vector: Vector): Promise<string | undefined> {
  const answer = await ask(vector);
  const { expect } = vector;
  const expected =
    expect === null
      ? { status: 404 }
      : {
          location: forProject(vector.redirects, expect as unknown as Project)[0]?.target,
        };
  const found = expect === null ? { status: answer.status } : { location: answer.header("location") };
  return difference("the project", expected, found);
}

/** Without what our server says for itself. Go's sends no length with a HEAD and with a large page; ours may, if right. */
function comparable(headers: Record<string, string>, { expect, request }: Vector): Record<string, string> {
  const { Date: _date, Connection: _connection, ...rest } = headers;
  const isExpected = Object.hasOwn(Object(expect?.headers), "Content-Length");
  const isRight =
    request.method === "HEAD" || rest["Content-Length"] === String(Buffer.byteLength(String(expect?.body)));
  if (!isExpected && isRight) delete rest["Content-Length"];
  return sorted(rest);
}

function sorted(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Converts the middleware's options, starts an agent with the result beside a Manager, and sends one request. */
async function ask({ config, redirects, pages, request }: Vector): Promise<RawAnswer> {
  const state = await mkdtemp(join(tmpdir(), "posthouse-conformance-"));
  const manager = await startManager({ redirects, pages });
  try {
    const options = JSON.stringify(config).replaceAll(/"MGR(?=[/"])/g, `"${manager.url}`);
    const { yaml } = convertFlecto(options, { file: "config", listen: "127.0.0.1:0", state });
    const parsed = parseConfig(yaml, "posthouse.yaml", agentConfigSchema, {});
    const admin = { listen: { host: "127.0.0.1", port: 0 } };
    const agent = createAgent({ ...parsed, admin }, { log: createLog({ level: "silent", format: "json" }) });
    await agent.start();
    try {
      await settled(`http://${agent.addresses.admin}/status`);
      return await send(Number(agent.addresses.sites[0]?.split(":").at(-1)), request);
    } finally {
      await agent.stop(2000);
    }
  } finally {
    await manager.stop();
    await rm(state, { recursive: true, force: true });
  }
}

interface Status {
  readonly projects: Readonly<Record<string, { readonly version: number; readonly lastError?: unknown }>>;
}

/** Waits until every project has its rules, or a reason why not. */
async function settled(url: string): Promise<void> {
  const end = performance.now() + settledWithinMs;
  while (performance.now() < end) {
    const { projects } = (await (await fetch(url)).json()) as Status;
    if (Object.values(projects).every(({ version, lastError }) => version > 0 || lastError)) return;
    await setTimeout(5);
  }
  throw new Error(`the agent knew nothing of its projects after ${settledWithinMs} ms`);
}

/** The bytes of a text as they would be typed. Without a host it is HTTP/1.0, where none is needed. */
async function send(port: number, { method, uri, host }: Vector["request"]): Promise<RawAnswer> {
  const head = host === "" ? [`${method} ${uri} HTTP/1.0`] : [`${method} ${uri} HTTP/1.1`, `Host: ${host}`];
  const text = `${[...head, "Connection: close"].join("\r\n")}\r\n\r\n`;
  return parseAnswer(await exchangeBytes(port, Buffer.from(text, "utf8"), { deadlineMs: 20_000 }));
}

const utf8 = (latin1: string): string => Buffer.from(latin1, "latin1").toString("utf8");

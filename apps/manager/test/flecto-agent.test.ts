import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
  for (let index = 0; index < 101; index += 1)
    await harness.project("POST", "/redirects", redirect(`/s${index}`));
  const page = { type: "BASIC", path: "/robots.txt", content: "x", contentType: "TEXT_PLAIN" };
  await harness.project("POST", "/pages", page);
  await harness.project("POST", "/publish");
});
afterAll(() => harness.close());

interface Call {
  readonly line: string;
  readonly status: number;
  readonly body: string;
}

/** A client that writes requests byte for byte as Go's HTTP client does, and follows Flecto's agent call by call. */
function createGoClient() {
  const base = "/api/namespace/ns/project/prj";
  const calls: Call[] = [];
  let loaded = 0;

  async function send(method: string, path: string, body?: string): Promise<Call> {
    const { port, host } = new URL(harness.manager.url);
    const content =
      body === undefined
        ? method === "PATCH"
          ? "Content-Length: 0\r\n"
          : ""
        : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    const type = body === undefined ? "" : "Content-Type: application/json\r\n";
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(
      `${method} ${base}${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: Go-http-client/1.1\r\n${content}` +
        `Authorization: Bearer ${harness.admin}\r\n${type}Accept-Encoding: gzip\r\nConnection: close\r\n\r\n${body ?? ""}`,
    );
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    await once(socket, "close");
    const answer = Buffer.concat(parts).toString();
    const [head = "", ...rest] = answer.split("\r\n\r\n");
    expect(head).not.toMatch(/^content-encoding/im);
    const raw = rest.join("\r\n\r\n");
    const text = /^transfer-encoding: chunked/im.test(head) ? unchunk(raw) : raw;
    const call = { line: `${method} ${path}`, status: Number(head.slice(9, 12)), body: text };
    calls.push(call);
    return call;
  }

  /** `strconv.Atoi` of the trimmed body, of a 200 only. */
  async function version(): Promise<number> {
    const { status, body } = await send("GET", "/version");
    if (status !== 200 || !/^\s*-?\d+\s*$/.test(body)) throw new Error(`version: ${status} ${body}`);
    return Number(body);
  }

  async function walk(list: string): Promise<unknown[]> {
    const items: unknown[] = [];
    for (let offset = 0; ; ) {
      const { status, body } = await send("GET", `/${list}?limit=100&offset=${offset}`);
      if (status !== 200) throw new Error(`${list}: ${status} ${body}`);
      const page = JSON.parse(body) as { Items: unknown[]; Total: number };
      items.push(...page.Items);
      offset += 100;
      if (offset >= page.Total) return items;
    }
  }

  const post = (status: string, seen: number, error: string) =>
    send(
      "POST",
      "/agents",
      `{"name":"a1","status":"${status}","type":"default","version":${seen},"load_duration":1500000,"error":"${error}"}`,
    );

  return {
    calls,
    async check(fails = false): Promise<{ redirects: number; pages: number } | undefined> {
      calls.length = 0;
      const seen = await version();
      if (seen === loaded) {
        await send("PATCH", "/agents/a1/hit");
        return undefined;
      }
      const next = await version();
      const redirects = await walk("redirects");
      if (fails) {
        await post("error", seen, "error parsing regexp");
        return undefined;
      }
      const pages = await walk("pages");
      loaded = next;
      await post("success", seen, "");
      return { redirects: redirects.length, pages: pages.length };
    },
  };
}

function unchunk(text: string): string {
  const [, size = "0", rest = ""] = /^([0-9a-f]+)\r\n([\s\S]*)$/.exec(text) ?? [];
  const length = Number.parseInt(size, 16); // of ASCII only
  return length === 0 ? "" : rest.slice(0, length) + unchunk(rest.slice(length + 2));
}

const lines = (calls: readonly Call[]): string[] => calls.map(({ line, status }) => `${line} ${status}`);
const walkLines = [
  "GET /redirects?limit=100&offset=0 200",
  "GET /redirects?limit=100&offset=100 200",
  "GET /pages?limit=100&offset=0 200",
];

describe("Flecto's Go agent", () => {
  it("makes the calls it knows: fresh, unchanged, changed, failed", async () => {
    const agent = createGoClient();
    expect(await agent.check()).toEqual({ redirects: 101, pages: 1 });
    const loading = ["GET /version 200", "GET /version 200", ...walkLines, "POST /agents 200"];
    expect(lines(agent.calls)).toEqual(loading);
    expect(agent.calls[0]?.body).toBe("2\n");
    expect(agent.calls.at(-1)?.body).toBe("");
    expect(agent.calls[2]?.body).toMatch(/"Total":101,"Limit":100,"Offset":0,"Next":"[\w-]+"}\n$/);
    expect(agent.calls[3]?.body).toMatch(/"Total":101,"Limit":100,"Offset":100}\n$/);

    await agent.check();
    expect(lines(agent.calls)).toEqual(["GET /version 200", "PATCH /agents/a1/hit 200"]);
    expect(agent.calls[1]?.body).toBe("");

    await harness.project("POST", "/redirects", redirect("/more"));
    await harness.project("POST", "/publish");
    expect(await agent.check(true)).toBeUndefined();
    expect(lines(agent.calls)).toEqual([
      "GET /version 200",
      "GET /version 200",
      ...walkLines.slice(0, 2),
      "POST /agents 200",
    ]);
    const { items } = (await harness.project("GET", "/agents")).json;
    expect(items).toMatchObject([{ name: "a1", status: "error", error: "error parsing regexp", version: 3 }]);

    expect(await agent.check()).toEqual({ redirects: 102, pages: 1 });
    expect(lines(agent.calls)).toEqual(loading);
    expect((await harness.project("GET", "/agents")).json.items).toMatchObject([
      { status: "success", lag: 0 },
    ]);
  });
});

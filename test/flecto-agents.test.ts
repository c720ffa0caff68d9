/** Flecto's agents against our Manager: what a Go client sends, byte for byte, and what it understands of the answers. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page, Redirect } from "@posthouse/protocol";
import { createGoClient, type GoClient, type GoClientOptions } from "@posthouse/testkit/flecto-go-client";
import { startFlectoManager } from "@posthouse/testkit/flecto-manager";
import { type ManagerProcess, startManagerProcess } from "@posthouse/testkit/manager-process";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

let folder: string;
let manager: ManagerProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-flecto-agents-"));
  manager = await startManagerProcess({ folder });
  await manager.api("POST", "/namespaces", { code: "ns", name: "N" });
}, 60_000);

afterAll(async () => {
  await manager?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const row = (index: number) => ({
  type: "BASIC",
  source: `/s${index}?a=<b>&c`,
  target: "/t\u2028é",
  status: "FOUND",
});
const page = { type: "BASIC", path: "/robots.txt", content: 'a "b" <c>\n', contentType: "TEXT_PLAIN" };
const rows = (count: number, from = 1) => Array.from({ length: count }, (_, index) => row(index + from));

async function importRows(project: string, redirects: readonly ReturnType<typeof row>[]): Promise<void> {
  const text = redirects.map(({ type, source, target, status }) => [type, source, target, status].join("\t"));
  const answer = await fetch(`${manager.url}/api/v1/namespaces/ns/projects/${project}/import`, {
    method: "POST",
    headers: { authorization: `Bearer ${manager.session}`, "content-type": "text/tab-separated-values" },
    body: `type\tsource\ttarget\tstatus\n${text.join("\n")}\n`,
  });
  expect(await answer.json()).toMatchObject({ errorCount: 0, importedCount: redirects.length });
}

const publish = (project: string) => manager.api("POST", `/namespaces/ns/projects/${project}/publish`);

const allRights = [
  ["redirect", "read"],
  ["page", "read"],
  ["agent", "write"],
] as const;

/** A project at version 2 with that many redirects and one page, and a client for it. */
async function project(
  code: string,
  options: {
    redirects?: number;
    agent?: string;
    rights?: readonly (readonly [string, string])[];
    before?: GoClientOptions["before"];
  } = {},
): Promise<GoClient> {
  const { redirects = 3, agent = "a1", rights = allRights, before = async () => {} } = options;
  await manager.api("POST", "/namespaces/ns/projects", { code, name: code });
  if (redirects > 0) await importRows(code, rows(redirects));
  await manager.api("POST", `/namespaces/ns/projects/${code}/pages`, page);
  await publish(code);
  const permissions = rights.map(([resource, action]) => ({
    namespace: "ns",
    project: code,
    resource,
    action,
  }));
  const { token } = await manager.api<{ token: string }>("POST", "/tokens", {
    name: code,
    permissions,
    admin: [],
  });
  const port = Number(new URL(manager.url).port);
  const client = createGoClient({ port, namespace: "ns", project: code, agent, token, before });
  onTestFinished(() => client.close());
  return client;
}

const lines = ({ exchanges }: GoClient, from = 0): string[] => exchanges.slice(from).map(({ line }) => line);
const fresh = (...lists: string[]) => ["GET /version", "GET /version", ...lists, "POST /agents"];
const firstPages = ["GET /redirects?limit=100&offset=0", "GET /pages?limit=100&offset=0"];

async function agents(code: string): Promise<Record<string, unknown>[]> {
  const path = `/namespaces/ns/projects/${code}/agents`;
  return (await manager.api<{ items: Record<string, unknown>[] }>("GET", path)).items;
}

describe("a Go agent with our Manager", () => {
  it("sends what Go's net/http sends", async () => {
    const client = await project("bytes");
    await client.check();
    await client.check();
    const port = new URL(manager.url).port;
    const [version, , , , report] = client.exchanges;
    const token = /Bearer (\S+)/.exec(version?.sent ?? "")?.[1];
    const head = (line: string, ...more: string[]) =>
      [
        line,
        `Host: 127.0.0.1:${port}`,
        "User-Agent: Go-http-client/1.1",
        ...more,
        "Accept-Encoding: gzip",
        "",
        "",
      ].join("\r\n");
    const base = "/api/namespace/ns/project/bytes";
    const authorization = `Authorization: Bearer ${token}`;
    expect(version?.sent).toBe(head(`GET ${base}/version HTTP/1.1`, authorization));
    const body = /\{.*/.exec(report?.sent ?? "")?.[0] ?? "";
    expect(body).toMatch(
      /^\{"name":"a1","status":"success","type":"default","version":2,"load_duration":[1-9]\d*,"error":""\}$/,
    );
    const length = `Content-Length: ${body.length}`;
    expect(report?.sent).toBe(
      head(`POST ${base}/agents HTTP/1.1`, length, authorization, "Content-Type: application/json") + body,
    );
    expect(client.exchanges.at(-1)?.sent).toBe(
      head(`PATCH ${base}/agents/a1/hit HTTP/1.1`, "Content-Length: 0", authorization),
    );
  });

  it("loads, then says that it is alive, then loads what changed", async () => {
    const client = await project("sequence");
    await client.check();
    expect(lines(client)).toEqual(fresh(...firstPages));
    expect(client).toMatchObject({ version: 2, redirects: rows(3), pages: [page] });
    expect(client.exchanges.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(client.exchanges[0]?.body).toBe("2\n");
    expect(client.exchanges[2]?.body).toBe(
      `{"Items":[${[1, 2, 3]
        .map(
          (index) =>
            `{"type":"BASIC","source":"/s${index}?a=\\u003cb\\u003e\\u0026c","target":"/t\\u2028é","status":"FOUND"}`,
        )
        .join()}],"Total":3,"Limit":100,"Offset":0}\n`,
    );
    expect(client.exchanges[4]).toMatchObject({ body: "" });

    await client.check();
    expect(lines(client, 5)).toEqual(["GET /version", "PATCH /agents/a1/hit"]);
    expect(client.exchanges[6]).toMatchObject({ status: 200, body: "" });

    await importRows("sequence", rows(2, 10));
    await publish("sequence");
    await client.check();
    expect(lines(client, 7)).toEqual(fresh(...firstPages));
    expect(client).toMatchObject({ version: 3, redirects: [...rows(3), ...rows(2, 10)] });
    expect(await agents("sequence")).toMatchObject([
      { name: "a1", type: "default", status: "success", version: 3, error: "" },
    ]);
  });

  it.each([
    [0, 1],
    [1, 1],
    [100, 1],
    [101, 2],
    [250, 3],
  ])("walks %i redirects in %i requests", async (count, requests) => {
    const client = await project(`count-${count}`, { redirects: count });
    await client.check();
    expect(client.redirects).toEqual(rows(count));
    const walked = Array.from(
      { length: requests },
      (_, index) => `GET /redirects?limit=100&offset=${index * 100}`,
    );
    expect(lines(client)).toEqual(fresh(...walked, "GET /pages?limit=100&offset=0"));
    const empty = client.exchanges.find(({ body }) => body.startsWith('{"Items":[],'));
    expect(empty !== undefined).toBe(count === 0);
  });

  it("tells that it could not load, in 500 characters, and goes on when that is repaired", async () => {
    const rights = [
      ["redirect", "read"],
      ["agent", "write"],
    ] as const;
    const client = await project("failing", { rights });
    await expect(client.check()).rejects.toThrow(/pages: 403 Forbidden \(403\) $/);
    expect(lines(client)).toEqual(fresh(...firstPages));
    expect(client.version).toBe(0);
    expect(await agents("failing")).toMatchObject([
      {
        name: "a1",
        status: "error",
        version: 2,
        error: expect.stringMatching(/^unexpected status code for http.*\/pages: 403/),
      },
    ]);
    // It is still not at this version, so the next check does everything again.
    await expect(client.check()).rejects.toThrow("403");
    expect(lines(client, 5)).toEqual(fresh(...firstPages));
  });

  it.each([
    [500, 500],
    [600, 500],
  ])("keeps %i characters of an error as %i", async (length, kept) => {
    const client = await project(`error-${length}`);
    await client.check();
    const token = /Bearer (\S+)/.exec(client.exchanges[0]?.sent ?? "")?.[1] ?? "";
    const report = {
      name: "a1",
      status: "error",
      type: "traefik",
      version: 2,
      load_duration: 1,
      error: "é".repeat(length),
    };
    const answer = await fetch(`${manager.url}/api/namespace/ns/project/error-${length}/agents`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(report),
    });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    expect(await agents(`error-${length}`)).toMatchObject([{ type: "traefik", error: "é".repeat(kept) }]);
  });

  it("serves an agent whose name has dots, which never shows up", async () => {
    const client = await project("dots", { agent: "web.example.com" });
    await expect(client.check()).rejects.toThrow("invalid agent name");
    expect(client).toMatchObject({ version: 2, redirects: rows(3) });
    expect(lines(client)).toEqual(["GET /version", "GET /version", ...firstPages]);
    await expect(client.check()).rejects.toThrow("500 Internal Server Error (500)");
    expect(lines(client, 4)).toEqual(["GET /version", "PATCH /agents/web.example.com/hit"]);
    expect(client.exchanges.at(-1)?.body).toBe('{"message":"record not found"}\n');
    expect(await agents("dots")).toEqual([]);
  });

  it("reports the version before, when a publish falls between its two readings", async () => {
    const client = await project("between", {
      async before(line, count) {
        if (line !== "GET /version" || count !== 1) return;
        await importRows("between", rows(1, 7));
        await publish("between");
      },
    });
    await client.check();
    expect(client).toMatchObject({ version: 3, redirects: [...rows(3), row(7)] });
    expect(await agents("between")).toMatchObject([{ status: "success", version: 2 }]);
  });

  it.each([3, 100, 101])(
    "gives the answers that Flecto's Manager gives, with %i redirects",
    async (count) => {
      const ours = await project(`same-${count}`, { redirects: count });
      await using flecto = await startFlectoManager();
      flecto.publish({ redirects: rows(count) as Redirect[], pages: [page as Page] });
      const port = Number(new URL(flecto.url).port);
      const theirs = createGoClient({
        port,
        namespace: "ns",
        project: "prj",
        agent: "a1",
        token: flecto.token,
      });
      onTestFinished(() => theirs.close());
      for (const client of [ours, theirs]) {
        await client.check();
        await client.check();
      }
      const seen = ({ exchanges }: GoClient) =>
        exchanges.map(({ line, status, body, head }) => {
          const type = /^content-type: (.*)$/im.exec(head)?.[1];
          return { line, status, body, type };
        });
      expect(seen(ours)).toEqual(seen(theirs));
    },
  );

  it("keeps one connection over all its checks", async () => {
    const client = await project("kept", { redirects: 250 });
    for (let count = 0; count < 5; count++) await client.check();
    expect(lines(client)).toHaveLength(7 + 4 * 2);
    expect(client.connections).toBe(1);
  });
});

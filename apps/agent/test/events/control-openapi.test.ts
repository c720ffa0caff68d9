import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@posthouse/service";
import { expect, it } from "vitest";
import { agentConfigSchema, createAgent } from "../../src/index.ts";
import { collectLog } from "../harness.ts";

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedRoute>>>>;
}

interface DescribedRoute {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly schema: { readonly maximum?: number } }[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
}

const file = join(import.meta.dirname, "../../../../docs/reference/openapi-agent.json");
const methods = ["GET", "POST", "PUT", "DELETE"];

it("every route of the control API is described, and every described one is there", async () => {
  const { paths } = JSON.parse(await readFile(file, "utf8")) as Described;
  const state = await mkdtemp(join(tmpdir(), "posthouse-openapi-"));
  const config = { state, admin: { listen: "127.0.0.1:0", token: "t" }, events: { subscriptions: [] } };
  const agent = createAgent(parseConfig(JSON.stringify(config), "agent.yaml", agentConfigSchema, {}), {
    log: collectLog().log,
  });
  try {
    await agent.start();
    const ask = (method: string, path: string, body?: string): Promise<Response> =>
      fetch(`http://${agent.addresses.admin}${path.replace("{name}", "nobody-prod")}`, {
        method,
        headers: { authorization: "Bearer t", "content-type": "application/json" },
        ...(body === undefined ? {} : { body }),
      });
    const ids: string[] = [];
    for (const [path, routes] of Object.entries(paths)) {
      const described = methods.filter((method) => routes[method.toLowerCase()] !== undefined);
      const other = methods.find((method) => !described.includes(method)) ?? "PATCH";
      const refused = await ask(other, path);
      expect([path, refused.status, refused.headers.get("allow")]).toEqual([path, 405, described.join(", ")]);
      for (const method of described) {
        const { operationId, requestBody, responses } = routes[method.toLowerCase()] as DescribedRoute;
        ids.push(operationId);
        const answer = await ask(method, path, requestBody === undefined ? undefined : "{}");
        expect(Object.keys(responses)).toContain(String(answer.status));
        const { code } = answer.status < 300 ? {} : ((await answer.json()) as { code?: string });
        expect([operationId, code]).not.toEqual([operationId, "NOT_FOUND"]);
      }
    }
    expect(new Set(ids).size).toBe(ids.length);
    const limit = paths["/events/dead-letters"]?.get?.parameters?.find(({ name }) => name === "limit");
    const most = limit?.schema.maximum ?? 0;
    expect((await ask("GET", `/events/dead-letters?limit=${most}`)).status).toBe(200);
    expect((await ask("GET", `/events/dead-letters?limit=${most + 1}`)).status).toBe(400);
  } finally {
    await agent.stop(2000);
    await rm(state, { recursive: true, force: true });
  }
});

it("every route of the guide is described", async () => {
  const { paths } = JSON.parse(await readFile(file, "utf8")) as Described;
  const guide = await readFile(join(import.meta.dirname, "../../../../docs/guide/events.md"), "utf8");
  const rows = [...guide.matchAll(/`(GET|POST|PUT|DELETE) ((?:subscriptions|dead-letters)[^`? ]*)/g)];
  const told = rows.map(([, method, path]) => `${method} /events/${path?.replace("NAME", "{name}")}`);
  const described = Object.entries(paths).flatMap(([path, routes]) =>
    Object.keys(routes).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(told.toSorted()).toEqual(described.toSorted());
});

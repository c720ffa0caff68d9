import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PosthouseProcess, startPosthouse } from "@posthouse/testkit/posthouse-process";
import { replayRedirects } from "@posthouse/testkit/replay";
import { answers, until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const rules = 5000;
let folder: string;
let list: string;
let managerPort: number;
let sitePort: number;
let token: string;
let manager: PosthouseProcess;
let agent: PosthouseProcess | undefined;

const site = (): string => `http://127.0.0.1:${sitePort}`;
const managerUrl = (): string => `http://127.0.0.1:${managerPort}`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Calls the Manager's API with the operator token. */
async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${managerUrl()}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

async function startAgent(): Promise<void> {
  agent = startPosthouse(["agent", "-c", join(folder, "agent.yaml")]);
  await until("the agent serves", () => answers(`${site()}/`, 404));
}

async function location(path: string): Promise<string | null> {
  const response = await fetch(site() + path, { redirect: "manual" });
  await response.body?.cancel();
  return response.headers.get("location");
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-away-"));
  [managerPort, sitePort] = [await freePort(), await freePort()];
  list = join(folder, "list.tsv");
  const rows = Array.from(
    { length: rules },
    (_, i) => `BASIC_HOST\thost-${i % 7}.example/page/${i}?q=${i}\thttps://new.example/${i}\tFOUND`,
  );
  await writeFile(list, `type\tsource\ttarget\tstatus\n${rows.join("\n")}\n`);
  await writeFile(
    join(folder, "manager.yaml"),
    `listen: 127.0.0.1:${managerPort}\ndatabase: { path: ${join(folder, "manager.db")} }\n`,
  );
  await startManager();
  const password = (await manager.printed(/one-time password (\S+)/))[1];
  const { token: session } = (await (
    await fetch(`${managerUrl()}/api/v1/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: "admin", password, newPassword: "a long and winding pass phrase" }),
    })
  ).json()) as { token: string };
  token = session;
  await api("POST", "/namespaces", { code: "n", name: "N" });
  await api("POST", "/namespaces/n/projects", { code: "p", name: "P" });
  const operator = await api<{ token: string }>("POST", "/tokens", {
    name: "operator",
    permissions: [{ namespace: "*", project: "*", resource: "*", action: "*" }],
    admin: [],
  });
  const importing = startPosthouse(
    ["import", "tsv", list, "--manager", managerUrl(), "--project", "n/p", "--publish"],
    {
      env: { POSTHOUSE_TOKEN: operator.token },
    },
  );
  expect(await importing.exited, importing.output()).toBe(0);
  await writeFile(
    join(folder, "agent.yaml"),
    `name: a1
state: ${join(folder, "state")}
projects:
  shop:
    manager: { url: "${managerUrl()}", namespace: n, project: p, token: "${operator.token}" }
sites:
  - listen: 127.0.0.1:${sitePort}
    hosts:
      - { match: ["*"], project: shop }
`,
  );
}, 90_000);

afterAll(async () => {
  for (const process of [manager, agent]) {
    process?.signal("SIGKILL");
    await process?.exited;
  }
  await rm(folder, { recursive: true, force: true });
});

async function startManager(): Promise<void> {
  manager = startPosthouse(["manager", "-c", join(folder, "manager.yaml")]);
  await until("the Manager answers", () => answers(`${managerUrl()}/health/ping`, 204));
}

describe("an agent whose Manager goes away", () => {
  it("answers every redirect of the list", async () => {
    await startAgent();
    await expect
      .poll(async () => (await replayRedirects(list, site())).right, { timeout: 20_000, interval: 500 })
      .toBe(rules);
  });

  it("serves one published change within a second, at five times that at the latest", async () => {
    await api("POST", "/namespaces/n/projects/p/redirects", {
      type: "BASIC",
      source: "/fresh",
      target: "/new",
      status: "FOUND",
    });
    await api("POST", "/namespaces/n/projects/p/publish");
    await expect.poll(() => location("/fresh"), { timeout: 5000, interval: 20 }).toBe("/new");
  });

  it("goes on when the Manager is killed, and is ready from disk when it is killed itself", async () => {
    manager.signal("SIGKILL");
    await manager.exited;
    expect((await replayRedirects(list, site())).right).toBe(rules);

    // The change above reaches the disk a moment after it is served; what is on disk by now must survive.
    await expect.poll(() => location("/fresh")).toBe("/new");
    agent?.signal("SIGKILL");
    await agent?.exited;
    await startAgent();
    await expect
      .poll(() => replayRedirects(list, site()).then(({ right }) => right), { timeout: 10_000 })
      .toBe(rules);
  });

  it("catches up when the Manager is back", async () => {
    await startManager();
    await api("POST", "/namespaces/n/projects/p/redirects", {
      type: "BASIC",
      source: "/again",
      target: "/back",
      status: "FOUND",
    });
    await api("POST", "/namespaces/n/projects/p/publish");
    await expect.poll(() => location("/again"), { timeout: 60_000, interval: 100 }).toBe("/back");
  }, 70_000);

  it("keeps the old configuration when the new one is broken, and says why", async () => {
    await writeFile(join(folder, "agent.yaml"), "name: a1\nprojcts: {}\n");
    agent?.signal("SIGHUP");
    await agent?.printed(/agent\.yaml:2:1 .*did you mean \\?"projects/);
    expect(await location("/again")).toBe("/back");
  });

  it("stops on SIGTERM with exit code 0", async () => {
    agent?.signal("SIGTERM");
    expect(await agent?.exited).toBe(0);
  });
});

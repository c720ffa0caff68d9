/** What docs/guide/events.md and from-leek.md show, as it is written, on other ports and with a real broker. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type LeekApi, startLeekApi } from "@posthouse/testkit/leek-api";
import { type PosthouseProcess, startPosthouse } from "@posthouse/testkit/posthouse-process";
import { needRabbitMq, type RabbitMq, startRabbitMq } from "@posthouse/testkit/rabbitmq";
import { freePort } from "@posthouse/testkit/services";
import { until } from "@posthouse/testkit/until";
import { connect } from "amqplib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const found = await needRabbitMq();
if ("missing" in found) process.stderr.write(`SKIPPED: the guide of events; ${found.missing}\n`);
const folder = mkdtempSync(join(tmpdir(), "posthouse-events-guide-"));
const guide = (name: string): string =>
  readFileSync(join(import.meta.dirname, "../../../../docs/guide", name), "utf8");
const blocks = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, text]) => text ?? "",
  );
const block = (page: string, language: string): string => blocks(page, language)[0] ?? "";

/** Rejects unless it ends well. */
const shell = (text: string, env: Record<string, string>): Promise<{ stdout: string }> =>
  promisify(execFile)("sh", ["-ec", text], { env: { ...process.env, ...env }, timeout: 60_000 });

describe.skipIf("missing" in found)("the guide of events", () => {
  let rabbit: RabbitMq;
  let api: LeekApi;

  beforeAll(async () => {
    if ("missing" in found) return;
    [rabbit, api] = [await startRabbitMq(), await startLeekApi({ appKey: "the-key" })];
  }, 120_000);
  afterAll(async () => {
    await rabbit?.[Symbol.asyncDispose]();
    await api?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  async function deliversOne(agent: PosthouseProcess, uuid: string): Promise<void> {
    await agent.printed(/"state":"receiving"/, 30_000);
    const connection = await connect(rabbit.url());
    const channel = await connection.createConfirmChannel();
    const common = { hostname: "w1@vm", utcoffset: 0, pid: 1, clock: 1, timestamp: Date.now() / 1000 };
    const body = Buffer.from(JSON.stringify([{ type: "task-started", uuid, ...common }]));
    channel.publish("celeryev", "task.multi", body, {
      contentType: "application/json",
      contentEncoding: "utf-8",
    });
    await channel.waitForConfirms();
    await connection.close();
    await until("it is delivered", async () => api.index.documents.get(uuid)?.state === "STARTED", 30_000);
  }

  it("starts as it is written", async () => {
    const port = await freePort();
    const local = (text: string): string =>
      text
        .replaceAll("9400", String(port))
        .replaceAll("127.0.0.1:5672", `127.0.0.1:${rabbit.port}`)
        .replaceAll("http://127.0.0.1:5000", api.url);
    writeFileSync(join(folder, "posthouse.yaml"), local(block(guide("events.md"), "yaml")));
    const [, command = ""] = /^posthouse (agent .*)$/m.exec(guide("events.md")) ?? [];
    const env = { ADMIN_TOKEN: "t0ken", LEEK_KEY: "the-key" };
    const agent = startPosthouse(command.split(" "), { cwd: folder, env });
    try {
      await deliversOne(agent, "guide-1");
      const curl = local(block(guide("events.md"), "sh"));
      const { stdout } = await shell(curl, env);
      expect(JSON.parse(stdout)).toMatchObject({ subscriptions: [{ name: "shop-prod", state: "running" }] });
      const changes = await shell(local(blocks(guide("events.md"), "sh")[1] ?? ""), env);
      expect(
        changes.stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line)),
      ).toMatchObject([
        { name: "bill-prod", origin: "added", settings: { batch_max_window_in_seconds: 5 } },
        { name: "bill-prod", settings: { batch_max_window_in_seconds: 10 } },
        { removed: "bill-prod", queue: { name: "leek.bill", isDeleted: true } },
      ]);
      agent.signal("SIGTERM");
      expect(await agent.exited).toBe(0);
      expect(agent.output()).not.toContain("the-key");
    } finally {
      agent.signal("SIGKILL");
      await agent.exited;
    }
  }, 90_000);

  it("starts with Leek's environment variables alone", async () => {
    const port = await freePort();
    const [, line = ""] = /^ *(LEEK_.*) posthouse agent$/m.exec(guide("from-leek.md")) ?? [];
    const names = [...line.matchAll(/(\w+)=(?:'[^']*'|\S+)/g)].map(([, name]) => name);
    expect(names).toEqual(["LEEK_ENABLE_AGENT", "LEEK_AGENT_SUBSCRIPTIONS"]);
    const subscription = {
      broker: rabbit.url(),
      broker_management_url: "http://127.0.0.1:15672",
      backend: null,
      exchange: "celeryev",
      queue: "leek.environment",
      routing_key: "#",
      org_name: "mono",
      app_name: "leek",
      app_env: "qa",
      app_key: "the-key",
      api_url: api.url,
    };
    const agent = startPosthouse(["agent"], {
      cwd: folder,
      env: {
        LEEK_ENABLE_AGENT: "true",
        LEEK_AGENT_SUBSCRIPTIONS: JSON.stringify([subscription]),
        POSTHOUSE_ADMIN_LISTEN: `127.0.0.1:${port}`,
        POSTHOUSE_STATE: join(folder, "from-leek"),
      },
    });
    try {
      await deliversOne(agent, "guide-2");
      const answer = await fetch(`http://127.0.0.1:${port}/events/subscriptions/leek-qa/stop`, {
        method: "POST",
      });
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        403,
        "NO_ADMIN_TOKEN",
      ]);
      agent.signal("SIGTERM");
      expect(await agent.exited).toBe(0);
    } finally {
      agent.signal("SIGKILL");
      await agent.exited;
    }
  }, 90_000);
});

describe("an agent without a file and without variables", () => {
  it("says what is missing", async () => {
    const agent = startPosthouse(["agent"], {
      env: { LEEK_ENABLE_AGENT: "", LEEK_AGENT_SUBSCRIPTIONS: "" },
    });
    expect(await agent.exited).toBe(2);
    expect(agent.output()).toContain("--config is missing");
  });
});

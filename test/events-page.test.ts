/** The page of the events job, in a browser. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LeekApi, startLeekApi } from "@posthouse/testkit/leek-api";
import { type PosthouseProcess, startPosthouse } from "@posthouse/testkit/posthouse-process";
import { needRedis, type RedisServer, startRedis } from "@posthouse/testkit/redis";
import { needPackage } from "@posthouse/testkit/services";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const [found, redisFound] = [await needPackage("chromium", "chromium"), await needRedis()];
for (const one of [found, redisFound])
  if ("missing" in one) process.stderr.write(`SKIPPED: the page of events; ${one.missing}\n`);
const executablePath = "path" in found ? found.path : "";

describe.skipIf(executablePath === "" || "missing" in redisFound)("the page of the events job", () => {
  const folder = mkdtempSync(join(tmpdir(), "posthouse-events-page-"));
  const problems: string[] = [];
  let redis: RedisServer;
  let api: LeekApi;
  let agent: PosthouseProcess;
  let browser: Browser;
  let page: Page;
  let address: string;

  beforeAll(async () => {
    redis = await startRedis();
    api = await startLeekApi({ appKey: "the-key" });
    const subscription = {
      ...{ app_name: "shop", app_env: "prod", broker: "redis://:geheim@127.0.0.1:1/0" },
      ...{ api_url: api.url, app_key: "the-key" },
    };
    const admin = { listen: "127.0.0.1:0", token: "t0ken" };
    const config = { state: join(folder, "state"), admin, events: { subscriptions: [subscription] } };
    writeFileSync(join(folder, "agent.yaml"), JSON.stringify(config));
    agent = startPosthouse(["agent", "-c", join(folder, "agent.yaml")]);
    const [line = ""] = await agent.printed(/^.*"agent started".*$/m, 30_000);
    address = `http://${(JSON.parse(line) as { admin: string }).admin}/events`;
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
    page = await browser.newPage({ viewport: { width: 390, height: 800 } });
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (/Content Security Policy/.test(message.text())) problems.push(message.text());
    });
    page.on("dialog", (dialog) => void dialog.accept());
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    agent?.signal("SIGKILL");
    await agent?.exited;
    await api?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const card = (name: string) => page.locator("article.card", { has: page.locator("h3", { hasText: name }) });

  it("asks for the token, and keeps it in memory only", async () => {
    await page.goto(address);
    await page.fill("#token", "wrong");
    await page.click("#login button");
    await page.locator("#notice", { hasText: "not the right one" }).waitFor();
    await page.fill("#token", "t0ken");
    await page.click("#login button");
    await card("shop-prod").waitFor();
    const stored = await page.evaluate(
      "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])",
    );
    expect(stored).not.toContain("t0ken");
    await page.reload();
    await page.locator("#login").waitFor();
    await page.fill("#token", "t0ken");
    await page.click("#login button");
    await card("shop-prod").waitFor();
  });

  it("shows what is wrong, without secrets, and fits a phone", async () => {
    await card("shop-prod").locator(".badge", { hasText: "retrying" }).waitFor();
    await card("shop-prod").getByText("127.0.0.1:1 cannot be reached").waitFor();
    expect(await page.content()).not.toMatch(/geheim|the-key/);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
  });

  it("adds, pauses, starts and removes a subscription", async () => {
    await page.click("#add");
    for (const [name, value] of Object.entries({
      app_name: "bill",
      app_env: "prod",
      url: api.url,
      key: "wrong",
    }))
      await page.fill(`[name=${name}]`, value);
    await page.fill("[name=broker]", `${redis.url}/0`);
    await page.click("#confirm");
    await page.locator("#adding-problem", { hasText: "401" }).waitFor();
    await page.fill("[name=key]", "the-key");
    await page.click("#confirm");
    await card("bill-prod").locator(".badge", { hasText: "running" }).waitFor();
    await card("bill-prod").getByRole("button", { name: "Pause" }).click();
    await card("bill-prod").locator(".badge", { hasText: "paused" }).waitFor();
    await card("bill-prod").getByRole("button", { name: "Start" }).click();
    await card("bill-prod").locator(".badge", { hasText: "running" }).waitFor();
    expect(await card("shop-prod").getByRole("button", { name: "Remove" }).count()).toBe(0);
    await card("bill-prod").getByRole("button", { name: "Remove" }).click();
    expect(await page.locator("#removing-delete").isVisible()).toBe(false);
    await page.click("#removing-confirm");
    await card("bill-prod").waitFor({ state: "detached" });
  });

  it("breaks no rule of its own policy", () => {
    expect(problems).toEqual([]);
  });
});

import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserBackend, startBrowserBackend } from "@posthouse/testkit/browser-backend";
import { createTestAuthority } from "@posthouse/testkit/certificates";
import { type PosthouseProcess, startPosthouse } from "@posthouse/testkit/posthouse-process";
import { needPackage } from "@posthouse/testkit/services";
import { until } from "@posthouse/testkit/until";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

const [found, openssl] = [await needPackage("chromium", "chromium"), await needPackage("openssl", "openssl")];
for (const one of [found, openssl]) {
  if ("missing" in one)
    process.stderr.write(`SKIPPED: tests with a browser; ${one.missing}
`);
}
const executablePath = "path" in found ? found.path : "";
const opensslPath = "path" in openssl ? openssl.path : "";

const deadlineMs = 15_000;
let browser: Browser;

beforeAll(async () => {
  const args = ["--no-sandbox", "--ignore-certificate-errors"];
  if (executablePath !== "") browser = await chromium.launch({ executablePath, args });
});
afterAll(() => browser?.close());

describe.skipIf(executablePath === "" || opensslPath === "").each([
  { scheme: "http", protocol: "http/1.1" },
  { scheme: "https", protocol: "h2" },
])("a browser and a site behind the agent, over $scheme and $protocol", ({ scheme, protocol }) => {
  let folder: string;
  let backend: BrowserBackend;
  let agent: PosthouseProcess;
  let context: BrowserContext;
  let page: Page;
  let site: string;
  const problems: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "posthouse-browser-"));
    backend = await startBrowserBackend({ largeBytes: 20_000_000 });
    await writeFile(join(folder, "rules.tsv"), "type\tsource\ttarget\tstatus\nBASIC\t/old\t/\t301\n");
    await writeFile(
      join(folder, "agent.yaml"),
      JSON.stringify({
        state: "./state",
        projects: { shop: { file: "rules.tsv" } },
        sites: [{ listen: "127.0.0.1:0", ...tls(), hosts: [{ project: "shop", forward: backend.url }] }],
      }),
    );
    agent = startPosthouse(["agent", "-c", join(folder, "agent.yaml")]);
    const [line = ""] = await agent.printed(/^.*"agent started".*$/m, 30_000);
    const [address = ""] = (JSON.parse(line) as { sites: string[] }).sites;
    site = `${scheme}://${address}`;
  });

  afterAll(async () => {
    agent?.signal("SIGKILL");
    await agent?.exited;
    await backend?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    context = await browser.newContext();
    context.setDefaultTimeout(deadlineMs);
    page = await openPage();
  });

  afterEach(async () => {
    await context.close();
    expect(problems.splice(0)).toEqual([]);
  });

  function tls(): object {
    if (scheme === "http") return {};
    const certificate = createTestAuthority(opensslPath, folder).issue({
      file: "site",
      names: ["IP:127.0.0.1"],
    });
    return { tls: { certificates: [certificate] } };
  }

  /** What the page and its resources came by. */
  async function protocols(from: Page): Promise<unknown> {
    return from.evaluate(`[...new Set(["navigation", "resource"]
        .flatMap((type) => performance.getEntriesByType(type))
        .map(({ nextHopProtocol }) => nextHopProtocol))]`);
  }

  async function openPage(): Promise<Page> {
    const opened = await context.newPage();
    opened.on("pageerror", (error) => problems.push(String(error)));
    opened.on("requestfailed", (request) => {
      // Aborted is what the page itself gave up.
      const reason = request.failure()?.errorText;
      if (reason !== "net::ERR_ABORTED") problems.push(`${request.url()}: ${reason}`);
    });
    return opened;
  }

  it("loads a page by a redirect, with its style, modules, image and cookies", async () => {
    const statuses = new Map<string, number>();
    page.on("response", (response) => statuses.set(new URL(response.url()).pathname, response.status()));
    await page.goto(`${site}/old`, { waitUntil: "load" });
    await page.waitForSelector("body[data-script=ran]");
    expect(page.url()).toBe(`${site}/`);
    expect(await page.title()).toBe("A site");
    expect(await page.evaluate("getComputedStyle(document.querySelector('h1')).color")).toBe("rgb(1, 2, 3)");
    expect(await page.evaluate("document.querySelector('#dot').naturalWidth")).toBe(7);
    expect((await context.cookies()).map(({ name, value }) => `${name}=${value}`).sort()).toEqual([
      "a=1",
      "b=2",
    ]);
    expect(Object.fromEntries(statuses)).toMatchObject({
      ...{ "/old": 301, "/": 200, "/style.css": 200, "/site.js": 200, "/name.js": 200, "/dot.svg": 200 },
    });
    expect(backend.asked).not.toContain("/old");
    expect(await protocols(page)).toEqual([protocol]);
  });

  it("downloads 20 MB whole", async () => {
    await page.goto(`${site}/`);
    const result = await page.evaluate(`(async () => {
        const bytes = await (await fetch("/large")).arrayBuffer();
        const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
        return { size: bytes.byteLength, hash: hash.toHex() };
      })()`);
    expect(result).toEqual({ size: 20_000_000, hash: backend.largeHash });
    expect(await protocols(page)).toEqual([protocol]);
  });

  it("uploads 5 MB by a form", async () => {
    const bytes = randomBytes(5_000_000);
    await page.goto(`${site}/`);
    await page.fill("input[name=note]", "grüße & so");
    await page.setInputFiles("input[name=file]", {
      name: "a file.bin",
      mimeType: "application/octet-stream",
      buffer: bytes,
    });
    await Promise.all([page.waitForURL("**/upload"), page.click("button")]);
    const hash = createHash("sha256").update(bytes).digest("hex");
    expect(await page.textContent("p")).toBe(`grüße & so a file.bin 5000000 ${hash}`);
    expect(await protocols(page)).toEqual([protocol]);
  });

  it("hears server-sent events one by one, each before the next is sent", async () => {
    await page.goto(`${site}/`);
    await page.evaluate(`
        window.heard = [];
        window.source = new EventSource("/events");
        source.onmessage = ({ data }) => heard.push(data);
      `);
    await until("the browser listens", async () => backend.listeners === 1);
    for (const count of [1, 2, 3]) {
      backend.sendEvent(`event ${count}`);
      await page.waitForFunction(`heard.length === ${count}`);
    }
    expect(await page.evaluate("heard")).toEqual(["event 1", "event 2", "event 3"]);
    await page.evaluate("source.close()");
    await until("the backend sees it leave", async () => backend.listeners === 0);
  });

  it("lets two pages chat by WebSocket", async () => {
    const other = await openPage();
    for (const one of [page, other]) {
      await one.goto(`${site}/`);
      await one.evaluate(`new Promise((resolve, reject) => {
          window.heard = [];
          window.chat = new WebSocket("/chat");
          chat.onmessage = ({ data }) => heard.push(data);
          chat.onopen = resolve;
          chat.onerror = reject;
        })`);
    }
    await page.evaluate('chat.send("hello")');
    await other.waitForFunction('heard[0] === "hello"');
    await other.evaluate('chat.send("x".repeat(1_000_000))');
    await page.waitForFunction("heard[0]?.length === 1_000_000");
    await page.evaluate("new Promise((resolve) => { chat.onclose = resolve; chat.close(1000) })");
  });
});

/** FeatBit's JS SDK in a real browser, on a page of another origin than the agent. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { pressSync } from "@posthouse/testkit/featbit/portal-sync";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { type FlagsAgent, startFlagsAgent } from "@posthouse/testkit/flags-agent";
import { freePort, needPackage } from "@posthouse/testkit/services";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const found = await needPackage("chromium", "chromium");
if ("missing" in found) process.stderr.write(`SKIPPED: tests with a browser; ${found.missing}\n`);
const executablePath = "path" in found ? found.path : "";

const key = "rp-this-agent";
const wait = { timeout: 20_000, interval: 50 };
const [item] = exampleDump().items;
const envId = item?.envId ?? "";
const sdkKey = item?.secrets.find(({ type }) => type === "client")?.value ?? "";

describe.skipIf(executablePath === "").each(["streaming", "polling"])(
  "the JS SDK in chromium, %s",
  (mode) => {
    let folder: string;
    let listen: string;
    let agent: FlagsAgent;
    let site: Server;
    let browser: Browser;
    let page: Page;
    const world = new FeatbitWorld();
    world.load(exampleDump());
    world.addRelayKey(undefined, key);

    const start = async (): Promise<void> => {
      agent = await startFlagsAgent({ folder, flags: { listen, mode: "manual", api_key: key } });
    };
    const sync = async (): Promise<void> => {
      expect((await pressSync(world, agent.url, key)).status).toBe(200);
    };
    /** Runs in the page, where the SDK's client is `client`. */
    const inPage = (script: string): Promise<unknown> => page.evaluate(script);
    const banner = (): Promise<unknown> => inPage('client.variation("banner-text", "none")');

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "posthouse-flags-"));
      listen = `127.0.0.1:${await freePort()}`;
      await start();
      await sync();
      const sdk = await readFile(await umdFile());
      site = createServer((request, response) => {
        if (request.url === "/sdk.js") response.setHeader("content-type", "text/javascript").end(sdk);
        else
          response
            .setHeader("content-type", "text/html")
            .end('<!doctype html><script src="/sdk.js"></script>');
      });
      await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
      browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
      page = await browser.newPage();
      await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
    }, 60_000);

    afterAll(async () => {
      await browser?.close();
      await new Promise((resolve) => site?.close(resolve));
      await agent?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    });

    test("it gets its user's flags", async () => {
      const options = {
        sdkKey,
        streamingUri: `ws://${listen}`,
        pollingUri: `http://${listen}`,
        eventsUri: `http://${listen}`,
        dataSyncMode: mode,
        pollingInterval: 300,
        disableEvents: true,
        user: { keyId: "u-101", name: "Max", customizedProperties: [{ name: "visits", value: "2" }] },
      };
      await inPage(
        `window.client = new FbClientBuilder(${JSON.stringify(options)}).build(); client.waitForInitialization().then(() => true)`,
      );
      expect(await banner()).toBe("Welcome");
      expect(await inPage('client.variation("new-checkout", false)')).toBe(true);
    });

    test("it hears of a change, and of another user's values", async () => {
      world.patchFlag(envId, "banner-text", { isEnabled: false, disabledVariationId: "b-b" });
      await sync();
      await expect.poll(banner, wait).toBe("Hello again");
      await inPage(
        'client.identify({ keyId: "tester-7", name: "T", customizedProperties: [] }).then(() => true)',
      );
      await expect
        .poll(() => inPage('client.variationDetail("new-checkout", false).reason'), wait)
        .toBe("Beta testers");
    });

    // While nobody listens, the SDK stops polling for good, by itself.
    test.skipIf(mode === "polling")(
      "it goes on after the agent was away",
      async () => {
        await agent.stop();
        world.patchFlag(envId, "banner-text", { isEnabled: true });
        await start();
        await sync();
        await expect.poll(banner, wait).toBe("Welcome");
      },
      60_000,
    );
  },
);

async function umdFile(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve("@featbit/js-client-sdk");
  return join(dirname(entry), "..", "umd", "featbit-js-client-sdk.js");
}

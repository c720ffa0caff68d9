import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@posthouse/testkit/until";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSubscriptionsFile, type SubscriptionsFile } from "../../src/events/subscriptions-file.ts";
import { checkConfigFiles, loadAgentConfig } from "../../src/index.ts";
import { collectLog } from "../harness.ts";
import type { Json } from "./captures.ts";
import { isRunning, startEventsHarness } from "./job-harness.ts";
import { redis } from "./redis-peer.ts";

const one = {
  broker: "amqp://rabbit//",
  app_env: "prod",
  api_url: "http://leek:5000",
  app_key: "k",
};
const list = (...apps: string[]): string =>
  JSON.stringify(apps.map((app_name) => ({ ...one, app_name, queue: app_name })));

describe("Leek's file of subscriptions", () => {
  let folder: string;
  let path: string;
  let file: SubscriptionsFile;
  let entries: readonly Json[];
  const names = (): string => file.subscriptions.map(({ name }) => name).join();
  const told = (): string => file.problems.join("\n");

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "posthouse-leek-"));
    path = join(folder, "subscriptions.json");
    const collected = collectLog();
    entries = collected.entries;
    file = createSubscriptionsFile({
      path,
      surroundings: undefined,
      log: collected.log,
      onChange: () => {},
    });
  });
  afterEach(async () => {
    file.stop();
    await rm(folder, { recursive: true });
  });

  it("says why it cannot be read", async () => {
    await mkdir(path);
    await file.start();
    expect(told()).toMatch(/the file of subscriptions .* cannot be used: .*EISDIR/);
    expect(file.isBroken).toBe(true);
  });

  it("is told to be missing, at the start and later, and read once it is there", async () => {
    await file.start();
    expect([names(), told(), file.isBroken]).toEqual([
      "",
      `the file of subscriptions ${path} is not there`,
      false,
    ]);
    expect(JSON.stringify(entries)).toContain("is not there");
    await writeFile(path, list("shop", "Bill"));
    await until("the problem is another", async () => told().includes("subscription Bill-prod"));
    await rename(path, `${path}.away`);
    await until("it is told", async () => told() === `the file of subscriptions ${path} is not there`);
    expect(names()).toBe("shop-prod");
    await rename(`${path}.away`, path);
    await until("it is read", async () => told().includes("subscription Bill-prod"));
    await writeFile(path, list("shop"));
    await until("all is well", async () => file.problems.length === 0 && !file.isBroken);
  });

  it("has what is right of it run; what is wrong is told with its place, and stops nothing", async () => {
    await writeFile(
      path,
      `[${list("shop").slice(1, -1)},
      {"app_name": "bad", "prefetchcount": 5},
      ${list("bill", "shop", "Loud").slice(1, -1)}]`,
    );
    await file.start();
    expect(names()).toBe("shop-prod,bill-prod");
    expect(file.isBroken).toBe(true);
    expect(told()).toContain(`${path}:2:27  [1].prefetchcount: unknown key; did you mean "prefetch_count"?`);
    expect(told()).toContain("[1].broker: is missing");
    expect(told()).toContain("[4].app_name: subscription Loud-prod: expected lower case letters");
    expect(told()).toContain("[3]: subscription shop-prod: there are two subscriptions shop-prod");

    await writeFile(path, list("new", "Bill"));
    await until("it is read", async () => names().startsWith("new-prod"));
    expect(names()).toBe("new-prod,shop-prod,bill-prod");
    await writeFile(path, '[{"app_name": "sh');
    await until("it is read", async () => !told().includes("Bill-prod"));
    expect([names(), file.isBroken]).toEqual(["new-prod,shop-prod,bill-prod", true]);
    await writeFile(path, list("new", "bill"));
    await until("all is well", async () => file.problems.length === 0);
    expect([names(), file.isBroken]).toEqual(["new-prod,bill-prod", false]);
  });

  it("is used as far as it is whole, as Leek's API leaves it: a compact list over a longer one", async () => {
    const pretty = JSON.stringify(JSON.parse(list("a", "b", "c", "d")), null, 4);
    const compact = list("a", "b", "c", "d", "e");
    await writeFile(path, compact + pretty.slice(compact.length));
    await file.start();
    expect(names()).toBe("a-prod,b-prod,c-prod,d-prod,e-prod");
    expect(told()).toMatch(/behind the end of the list there are \d+ more characters/);
    expect(file.isBroken).toBe(false);
    await writeFile(path, compact);
    await until("all is well", async () => file.problems.length === 0);
  });

  it("is read when a configuration is checked", async () => {
    const config = join(folder, "agent.yaml");
    await writeFile(config, "state: state\nevents:\n  subscriptions_file: subscriptions.json\n");
    const problems = async (): Promise<string[]> =>
      (await checkConfigFiles(await loadAgentConfig(config))).map(({ message }) => message);
    expect(await problems()).toEqual([
      `${config}:3:23  events.subscriptions_file: the file of subscriptions ${path} is not there`,
    ]);
    await writeFile(path, list("shop", "Bill"));
    expect(await problems()).toEqual([
      expect.stringMatching(
        /^.*subscriptions\.json:1:\d+ {2}\[1\]\.app_name: subscription Bill-prod: expected/,
      ),
    ]);
    await writeFile(path, list("shop"));
    expect(await problems()).toEqual([]);
  });
});

describe.skipIf("missing" in redis)("a subscription of the file that is wrong", () => {
  it("delays no other, and is named by health and status until it is right", async () => {
    const broker = "amqp://127.0.0.1:1//";
    await using harness = await startEventsHarness(
      (settings) => [settings("own"), settings("rabbit", { broker })],
      { subscriptionsFile: "subscriptions.json" },
    );
    const write = (...entries: Json[]): Promise<void> =>
      writeFile(join(harness.folder, "subscriptions.json"), JSON.stringify(entries));
    const health = async (path: string): Promise<{ status: number; text: string }> => {
      const response = await fetch(`${harness.admin}/health/${path}`);
      return { status: response.status, text: await response.text() };
    };
    const problems = async () => JSON.stringify((await harness.ask("subscriptions")).body.problems);
    await harness.status("own-prod", isRunning);
    await until("it is told to be missing", async () => (await problems()).includes("is not there"));
    expect(await health("ready?job=events")).toMatchObject({ status: 200 });

    await write(
      harness.settings("shop"),
      harness.settings("bad", { prefetchcount: 5 }),
      harness.settings("twin", { broker }),
    );
    await harness.status("shop-prod", isRunning);
    await harness.publish("shop", "one");
    await until("it is delivered", async () => harness.api.stored.length === 1);
    await until("it is not ready", async () => (await health("ready?job=events")).status === 503);
    expect((await health("ready?job=events")).text).toContain("subscription bad-prod: unknown key");
    expect(await health("fresh?max=1h")).toMatchObject({
      status: 503,
      text: expect.stringContaining("subscriptions_file"),
    });
    expect(await problems()).toContain("subscription bad-prod: unknown key");
    expect(await problems()).toContain(
      "subscription twin-prod (subscriptions file) is left out: the subscriptions rabbit-prod and twin-prod both",
    );

    await write(harness.settings("shop"));
    await until("it is ready", async () => (await health("ready?job=events")).status === 200);
    expect(await problems()).toBe("[]");
  });
});

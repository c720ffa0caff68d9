import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { createSubscriptionsFile } from "../../src/events/subscriptions-file.ts";
import { readEnvironmentConfig } from "../../src/index.ts";
import { collectLog } from "../harness.ts";

const one = {
  broker: "amqp://rabbit//",
  app_name: "shop",
  app_env: "prod",
  api_url: "http://leek:5000",
  app_key: "k",
};
const list = (...apps: string[]): string => JSON.stringify(apps.map((app_name) => ({ ...one, app_name })));

describe("an agent without a file", () => {
  const read = (env: NodeJS.ProcessEnv) =>
    readEnvironmentConfig({ LEEK_AGENT_SUBSCRIPTIONS: list("shop"), ...env });

  it("is what Leek's variables ask for", () => {
    expect(readEnvironmentConfig({})).toBeUndefined();
    expect(read({ LEEK_ENABLE_AGENT: "false" })).toBeUndefined();
    expect(read({ LEEK_ENABLE_AGENT: "TRUE", LEEK_AGENT_LOG_LEVEL: "WARNING" })).toMatchObject({
      state: "./state",
      admin: { listen: { host: "127.0.0.1", port: 9400 }, token: undefined },
      log: { level: "warn" },
      events: {
        subscriptions: [{ name: "shop-prod", api_url: "http://leek:5000", org_name: "mono", compat: "leek" }],
      },
    });
    const own = {
      POSTHOUSE_STATE: "/state",
      POSTHOUSE_ADMIN_LISTEN: "0.0.0.0:9401",
      POSTHOUSE_ADMIN_TOKEN: "t",
    };
    expect(read(own)).toMatchObject({ state: "/state", admin: { listen: { port: 9401 } } });
    expect(read(own)?.admin?.token?.reveal()).toBe("t");
  });

  it("serves the API beside it with the shared secret", () => {
    const local = { LEEK_ENABLE_API: "true", LEEK_ENABLE_AGENT: "true" };
    const [subscription] = read({ ...local, LEEK_AGENT_API_SECRET: "shared" })?.events?.subscriptions ?? [];
    expect(subscription).toMatchObject({ api_url: "http://0.0.0.0:5000" });
    expect(subscription?.app_key?.reveal()).toBe("shared");
    expect(() => read(local)).toThrow("LEEK_AGENT_API_SECRET: is missing");
  });

  it("has one organisation where Leek has no authentication", () => {
    const named = JSON.stringify([{ ...one, org_name: "acme" }]);
    const organisation = (env: NodeJS.ProcessEnv) =>
      read({ LEEK_AGENT_SUBSCRIPTIONS: named, ...env })?.events?.subscriptions[0]?.org_name;
    expect(organisation({})).toBe("acme");
    expect(organisation({ LEEK_API_ENABLE_AUTH: "false" })).toBe("mono");
  });

  it("reads Leek's file when no list is given", () => {
    expect(readEnvironmentConfig({ LEEK_ENABLE_AGENT: "true" })?.events).toMatchObject({
      subscriptions: [],
      subscriptions_file: "/opt/app/conf/subscriptions.json",
    });
  });

  it("names the variable that is wrong", () => {
    expect(() => read({ LEEK_AGENT_SUBSCRIPTIONS: "{}" })).toThrow("LEEK_AGENT_SUBSCRIPTIONS:1:1");
    expect(() => read({ LEEK_AGENT_LOG_LEVEL: "loud" })).toThrow('LEEK_AGENT_LOG_LEVEL: "loud" is none of');
    expect(() => read({ POSTHOUSE_ADMIN_LISTEN: "nowhere" })).toThrow("POSTHOUSE_ADMIN_LISTEN: expected");
  });
});

describe("Leek's file of subscriptions", () => {
  it("says why it cannot be read", async () => {
    const path = await mkdtemp(join(tmpdir(), "posthouse-leek-"));
    const file = createSubscriptionsFile({
      path,
      surroundings: undefined,
      log: collectLog().log,
      onChange: () => {},
    });
    await file.start();
    expect(file.problem).toMatch(/the file of subscriptions .* cannot be used: .*EISDIR/);
    file.stop();
    await rm(path, { recursive: true });
  });

  it("is read again when it changes; what cannot be read changes nothing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "posthouse-leek-"));
    const path = join(folder, "subscriptions.json");
    const file = createSubscriptionsFile({
      path,
      surroundings: undefined,
      log: collectLog().log,
      onChange: () => {},
    });
    const names = (): string => file.subscriptions.map(({ name }) => name).join();
    try {
      await file.start();
      expect([names(), file.problem]).toEqual(["", undefined]);
      await writeFile(path, list("shop", "bill"));
      await until("it is read", async () => names() === "shop-prod,bill-prod");

      await writeFile(path, '[{"app_name": "sh');
      await until("the problem is told", async () => file.problem !== undefined);
      expect(names()).toBe("shop-prod,bill-prod");
      await writeFile(path, list("shop", "Bill"));
      await until("the other problem is told", async () => file.problem?.includes("Bill-prod") === true);
      expect(names()).toBe("shop-prod,bill-prod");

      // As Leek's API leaves it: a compact list over a longer one.
      const pretty = JSON.stringify(JSON.parse(list("a", "b", "c", "d")), null, 4);
      const compact = list("a", "b", "c", "d", "e");
      await writeFile(path, compact + pretty.slice(compact.length));
      await until("the whole part is used", async () => names() === "a-prod,b-prod,c-prod,d-prod,e-prod");
      expect(file.problem).toMatch(/behind the end of the list there are \d+ more characters/);
      await writeFile(path, compact);
      await until("all is well", async () => file.problem === undefined);
    } finally {
      file.stop();
      await rm(folder, { recursive: true });
    }
  });
});

import { describe, expect, it } from "vitest";
import { doubtfulLeekVariables, readEnvironmentConfig } from "../../src/index.ts";

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
    expect(() => read({ POSTHOUSE_ADMIN_TOKEN: "" })).toThrow("POSTHOUSE_ADMIN_TOKEN: is empty");
    expect(() => read({ POSTHOUSE_ADMIN_LISTEN: "nowhere" })).toThrow("POSTHOUSE_ADMIN_LISTEN: expected");
  });

  it.each([
    [{ LEEK_ENABLE_AGENT: "yes" }, 'LEEK_ENABLE_AGENT is "yes"'],
    [{ LEEK_AGENT_SUBSCRIPTION: "[]" }, 'did you mean "LEEK_AGENT_SUBSCRIPTIONS"?'],
    [{ LEEK_AGENT_LOGLEVEL: "DEBUG" }, 'did you mean "LEEK_AGENT_LOG_LEVEL"?'],
    [{ LEEK_AGENT_SUBSCRIPTIONS: "" }, "LEEK_AGENT_SUBSCRIPTIONS is empty"],
    [{ LEEK_AGENT_SUBSCRIPTIONS: "[ ]" }, "no events are received until one is added"],
    [{ LEEK_ENABLE_AGENT: "false", LEEK_AGENT_SUBSCRIPTIONS: "[{}]" }, "LEEK_ENABLE_AGENT is false"],
  ])("is told of what may not be meant: %j", (env, doubt) => {
    expect(doubtfulLeekVariables(env)).toEqual([expect.stringContaining(doubt)]);
  });

  it("is told of nothing where all is as Leek knows it", () => {
    const env = {
      LEEK_ENABLE_AGENT: "TRUE",
      LEEK_ES_URL: "http://es:9200",
      LEEK_AGENT_SUBSCRIPTIONS: "[{}]",
    };
    expect(doubtfulLeekVariables(env)).toEqual([]);
  });
});

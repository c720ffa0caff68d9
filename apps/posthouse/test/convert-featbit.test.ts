import { agentConfigSchema } from "@posthouse/agent";
import { isPosthouseError } from "@posthouse/protocol";
import { parseConfig } from "@posthouse/service";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { convertFeatbit } from "../src/convert/featbit.ts";
import { settingsOfEnvironment, settingsOfFile } from "../src/convert/featbit-settings.ts";
import { readFeatbitDropIn } from "../src/featbit-drop-in.ts";
import { readSurroundings } from "../src/surroundings.ts";
import { folderWith, runCommand } from "./run-command.ts";

const auto = {
  ApiKey: "rp-key",
  AgentId: "agent-1",
  StreamingUri: "wss://featbit.example.com/els/",
  EventUri: "https://featbit.example.com",
};

// biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
const written = (env: Readonly<Record<string, string>>): any =>
  parse(convertFeatbit(settingsOfEnvironment(env), { source: "environment" }).yaml);

function problemsOf(env: Readonly<Record<string, string>>): string[] {
  try {
    convertFeatbit(settingsOfEnvironment(env), { source: "environment" });
  } catch (error) {
    if (isPosthouseError(error))
      return error.message.split("\n").map((line) => line.replace(/^environment {2}/, ""));
    throw error;
  }
  return [];
}

const warningsOf = (text: string): string[] =>
  convertFeatbit(settingsOfFile(text, "appsettings.json"), { source: "appsettings.json", isStrict: true })
    .warnings as string[];

describe("FeatBit Agent's settings", () => {
  it("are ours with other names", () => {
    expect(
      written({ ...auto, Streaming__TokenExpirySeconds: "60", Logging__LogLevel__Default: "Warning" }),
    ).toEqual({
      state: "./state",
      log: { level: "warn" },
      flags: {
        listen: ":6100",
        mode: "auto",
        streaming_uri: "wss://featbit.example.com/els/",
        api_key: "rp-key",
        agent_id: "agent-1",
        token_tolerance: "60s",
        insights: { mode: "forward", event_uri: "https://featbit.example.com" },
      },
    });
    expect(written({ Mode: "manual", ApiKey: "rp-key", ForwardEvents: "FALSE" }).flags).toEqual({
      listen: ":6100",
      mode: "manual",
      api_key: "rp-key",
      insights: { mode: "drop" },
    });
  });

  it("may be written in any case, and their values stay what they are", () => {
    const { flags } = written({
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a key may look like this
      APIKEY: "rp-${HOME}",
      agentid: "a",
      STREAMINGURI: "ws://h",
      EventURI: "http://h",
      streaming__TOKENEXPIRYSECONDS: "5",
    });
    expect(flags).toMatchObject({ api_key: `rp-$$${"{HOME}"}`, agent_id: "a", token_tolerance: "5s" });
  });

  it("are FeatBit's own spelling, where a variable of another program differs by case only", () => {
    expect(written({ Mode: "auto", MODE: "production", ...auto }).flags.mode).toBe("auto");
    expect(written({ ...auto, MODE: "production", Mode: "auto" }).flags.mode).toBe("auto");
  });

  it("listen where ASP.NET would, by default at port 6100", () => {
    const listen = (urls: string): string => written({ ...auto, ASPNETCORE_URLS: urls }).flags.listen;
    expect(listen("http://+:6200")).toBe(":6200");
    expect(listen("http://*:80/")).toBe(":80");
    expect(listen("http://localhost:6100;http://+:1")).toBe("127.0.0.1:6100");
    expect(listen("http://[::1]:6100")).toBe("[::1]:6100");
    expect(listen("http://[::]:6100")).toBe(":6100");
    expect(listen("https://+:6101;http://10.0.0.1")).toBe("10.0.0.1:80");
    expect(listen("http://unix:/run/agent.sock")).toBe("unix:/run/agent.sock");
    expect(written({ ...auto, ASPNETCORE_HTTP_PORTS: "8080" }).flags.listen).toBe(":8080");
    expect(problemsOf({ ...auto, ASPNETCORE_URLS: "https://+:6101" })[0]).toMatch(/^ASPNETCORE_URLS: https /);
    expect(problemsOf({ ...auto, ASPNETCORE_URLS: "6100" })[0]).toMatch(
      /^ASPNETCORE_URLS: "6100" is no address/,
    );
  });
});

describe("what FeatBit Agent refuses is refused, in its order", () => {
  it.each([
    [{ ...auto, Mode: "Auto" }, ["Mode: "]],
    [{ ...auto, ApiKey: " " }, ["ApiKey: is missing"]],
    [{ ...auto, AgentId: "" }, ["AgentId: is missing"]],
    [{ ...auto, StreamingUri: "" }, ["StreamingUri: is missing"]],
    [{ ...auto, StreamingUri: "featbit/els" }, ["StreamingUri: "]],
    [{ ...auto, EventUri: "" }, ["EventUri: is missing"]],
    [{ ...auto, EventUri: "/events" }, ["EventUri: "]],
    [{ Mode: "manual", ApiKey: "rp-key" }, ["EventUri: is missing"]],
    [{ ...auto, ForwardEvents: "no" }, ["ForwardEvents: "]],
    [{ Mode: "x", EventUri: "y" }, ["Mode: ", "ApiKey: ", "AgentId: ", "StreamingUri: ", "EventUri: "]],
    [{ ...auto, Streaming__TokenExpirySeconds: "-1" }, ["Streaming__TokenExpirySeconds: "]],
  ])("%j", (env, beginnings) => {
    const problems = problemsOf(env as Record<string, string>);
    expect(problems.map((problem, index) => problem.slice(0, beginnings[index]?.length))).toEqual(beginnings);
  });

  it("with the line and column of appsettings.json, comments and all", () => {
    const text =
      '// ours\n{\n  "ApiKey": "rp-x", /* more */\n  "Mode": "auto",\n  "AgentId": "a",\n  "StreamingUri": "x", }';
    const settings = settingsOfFile(text, "appsettings.json");
    expect(() => convertFeatbit(settings, { source: "appsettings.json" })).toThrow(
      'appsettings.json:6:19  StreamingUri: "x" is no absolute URI\nappsettings.json  EventUri: is missing',
    );
    expect(() => settingsOfFile('{"ApiKey": ', "a.json")).toThrow(/^a\.json:1:\d+: cannot be read/);
    expect(() => settingsOfFile("[]", "a.json")).toThrow("expected an object of settings");
  });
});

it("what has no meaning here is told", () => {
  const text = JSON.stringify({
    ...auto,
    Logging: { LogLevel: { Default: "Information", "Microsoft.AspNetCore": "Warning" } },
    AllowedHosts: "agent.example.com",
    Streaming: { TrackClientHostName: true, SupportedVersions: ["3"], TokenExpirySeconds: 30 },
    Kestrel: { Limits: { MaxRequestBodySize: 1 } },
  });
  expect(warningsOf(text).map((line) => /^appsettings\.json:1:\d+ {2}([^ ]+): /.exec(line)?.[1])).toEqual([
    "Streaming:TrackClientHostName",
    "Logging:LogLevel:Microsoft.AspNetCore",
    "AllowedHosts",
    "Streaming:SupportedVersions:0",
    "Kestrel:Limits:MaxRequestBodySize",
  ]);
  expect(warningsOf(JSON.stringify(auto))).toEqual([]);
});

describe("without -c", () => {
  it("appsettings.json and that of the stage are read, and the environment wins", async () => {
    const folder = await folderWith({
      "appsettings.json": JSON.stringify({ ...auto, Streaming: { TokenExpirySeconds: 10 } }),
      "appsettings.Staging.json": '{"AgentId": "staging", "ForwardEvents": false}',
    });
    const found = await readFeatbitDropIn({ ASPNETCORE_ENVIRONMENT: "Staging", ApiKey: "rp-env" }, folder);
    expect(found?.config).toMatchObject({
      state: `${folder}/state`,
      flags: {
        agent_id: "staging",
        token_tolerance: 10_000,
        insights: { mode: "drop" },
        listen: { port: 6100 },
      },
    });
    expect(found?.config.flags?.api_key?.reveal()).toBe("rp-env");
    const elsewhere = await readFeatbitDropIn({ POSTHOUSE_STATE: "/var/lib/x" }, folder);
    expect(elsewhere?.config.state).toBe("/var/lib/x");
    expect(await readFeatbitDropIn({ Mode: "auto", PATH: "/bin" }, "/nowhere")).toBeUndefined();
  });

  it("the variables of Leek's agent beside them make one agent of both, with one state", async () => {
    const folder = await folderWith({});
    const subscription = { broker: "amqp://rabbit//", app_name: "shop", app_env: "prod" };
    const LEEK_AGENT_SUBSCRIPTIONS = JSON.stringify([
      { ...subscription, api_url: "http://leek:5000", app_key: "k" },
    ]);
    const both = await readSurroundings({ ...auto, LEEK_AGENT_SUBSCRIPTIONS }, folder);
    expect(both?.config).toMatchObject({
      state: `${folder}/state`,
      admin: { listen: { port: 9400 } },
      flags: { agent_id: "agent-1" },
      events: { subscriptions: [{ name: "shop-prod" }] },
    });
    const leek = await readSurroundings({ LEEK_AGENT_SUBSCRIPTIONS }, folder);
    expect([leek?.config.flags, leek?.config.state]).toEqual([undefined, "./state"]);
    expect((await readSurroundings({ ...auto }, folder))?.config.events).toBeUndefined();
    expect(await readSurroundings({}, folder)).toBeUndefined();
  });

  it("the command says what is wrong, and ends", async () => {
    const folder = await folderWith({});
    const { code, stderr } = await runCommand(["agent"], { cwd: folder, env: { ApiKey: "rp-key" } });
    expect(code).not.toBe(0);
    expect(stderr).toContain("environment  AgentId: is missing");
    expect(stderr).not.toContain("rp-key");
    const bare = await runCommand(["agent"], { cwd: folder });
    expect([bare.code, bare.stderr]).toEqual([
      expect.any(Number),
      expect.stringContaining("--config is missing"),
    ]);
    const almost = await runCommand(["agent"], {
      cwd: folder,
      env: { LEEK_ENABLE_AGENT: "yes", LEEK_AGENT_SUBSCRIPTION: "[]" },
    });
    expect(almost.stderr).toContain('LEEK_ENABLE_AGENT is "yes", which Leek takes for false');
    expect(almost.stderr).toContain('did you mean "LEEK_AGENT_SUBSCRIPTIONS"?');
  });
});

it("posthouse convert featbit writes what the agent reads", async () => {
  const folder = await folderWith({ "appsettings.json": JSON.stringify(auto) });
  const { code, stdout } = await runCommand(["convert", "featbit", "appsettings.json"], { cwd: folder });
  expect(code).toBe(0);
  const config = parseConfig(stdout, "posthouse.yaml", agentConfigSchema, {});
  expect(config).toMatchObject({ admin: { listen: { port: 9400 } }, flags: { mode: "auto" } });
});

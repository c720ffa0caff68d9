/** What the guide shows of flags works as it is written. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { pressSync } from "@posthouse/testkit/featbit/portal-sync";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { startPosthouse } from "@posthouse/testkit/posthouse-process";
import { freePort } from "@posthouse/testkit/services";
import { describe, expect, onTestFinished, test } from "vitest";
import { convertFeatbit } from "../apps/posthouse/src/convert/featbit.ts";
import { settingsOfFile } from "../apps/posthouse/src/convert/featbit-settings.ts";
import { readFeatbitDropIn } from "../apps/posthouse/src/featbit-drop-in.ts";

const root = join(import.meta.dirname, "..");
const blocks = (page: string, language: string): string[] =>
  [
    ...readFileSync(join(root, "docs/guide", page), "utf8").matchAll(
      new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"),
    ),
  ].map(([, text]) => text ?? "");
const key = "rp-guide";
const secret = exampleDump().items[0]?.secrets[0]?.value ?? "";

/** An agent with a configuration of the guide, on other ports, that has the example's flags. */
async function startFromGuide(text: string): Promise<{ url: string; admin: string }> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-guide-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [port, adminPort] = [await freePort(), await freePort()];
  const changed = text
    .replace("0.0.0.0:6100", `127.0.0.1:${port}`)
    .replace("127.0.0.1:9400", `127.0.0.1:${adminPort}`)
    .replace("/var/lib/posthouse", join(folder, "state"))
    .replace(
      /^ {2}mode: manual$/m,
      `  mode: manual${text.includes("listen: 0.0.0.0:6100") ? "" : `\n  listen: 127.0.0.1:${port}`}`,
    );
  await writeFile(join(folder, "agent.yaml"), changed);
  const agent = startPosthouse(["agent", "-c", join(folder, "agent.yaml")], {
    cwd: folder,
    env: { FEATBIT_KEY: key, INSIGHTS_HASH_KEY: "k" },
  });
  onTestFinished(async () => {
    agent.signal("SIGKILL");
    await agent.exited;
  });
  await agent.printed(/agent started/);
  return { url: `http://127.0.0.1:${port}`, admin: `http://127.0.0.1:${adminPort}` };
}

async function load(url: string): Promise<void> {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  world.addRelayKey(undefined, key);
  expect((await pressSync(world, url, key)).status).toBe(200);
}

const track = (url: string): Promise<Response> =>
  fetch(`${url}/api/public/insight/track`, {
    method: "POST",
    headers: { authorization: secret, "content-type": "application/json" },
    body: JSON.stringify([{ user: { keyId: "u1", name: "", customizedProperties: [] }, variations: [] }]),
  });

describe("docs/guide/flags-openfeature.md", () => {
  test("its configuration and requests", async () => {
    const [text = ""] = blocks("flags-openfeature.md", "yaml");
    const { url } = await startFromGuide(text);
    await load(url);
    const commands = blocks("flags-openfeature.md", "sh").join("").trim().split("\n");
    const answers = commands.map((command) => {
      const { stdout, status } = spawnSync("sh", ["-c", command.replace("http://127.0.0.1:6100", url)], {
        encoding: "utf8",
        env: { ...process.env, SECRET: secret },
      });
      expect(status, command).toBe(0);
      return JSON.parse(stdout) as unknown;
    });
    expect(answers).toMatchObject([{ value: "Hello again", reason: "TARGETING_MATCH" }, { flags: [{}, {}] }]);
  }, 60_000);
});

describe("docs/guide/flags-insights.md", () => {
  const [forwarding = "", keeping = ""] = blocks("flags-insights.md", "yaml");

  test("its configuration that forwards starts, whoever is away", async () => {
    const { admin } = await startFromGuide(forwarding);
    const status = (await (await fetch(`${admin}/status`)).json()) as {
      flags: { insights: { mode: string } };
    };
    expect(status.flags.insights.mode).toBe("forward");
  }, 60_000);

  test("its configuration that keeps gives lines as it shows", async () => {
    const { url, admin } = await startFromGuide(keeping);
    await load(url);
    expect((await track(url)).status).toBe(200);
    const [shown = ""] = blocks("flags-insights.md", "json");
    const { at, ...line } = JSON.parse(shown) as Record<string, unknown>;
    expect(at).toBeTypeOf("string");
    expect(await (await fetch(`${admin}/flags/insights`)).json()).toMatchObject(line);
  }, 60_000);
});

describe("docs/guide/from-featbit.md", () => {
  test("its environment is read", async () => {
    const [text = ""] = blocks("from-featbit.md", "env");
    const env = Object.fromEntries(
      text
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    const found = await readFeatbitDropIn(env, "/nowhere");
    expect(found).toMatchObject({
      warnings: [],
      config: {
        flags: { mode: "auto", agent_id: "agent-1", listen: { port: 6100 }, insights: { mode: "forward" } },
      },
    });
  });

  test("it tells what is wrong as it shows", async () => {
    const [shown = ""] = blocks("from-featbit.md", "text");
    await expect(
      readFeatbitDropIn({ Mode: "Auto", EventUri: "http://h", AgentId: "a" }, "/nowhere"),
    ).rejects.toThrow(shown.trim());
  });

  test("its appsettings.json becomes the configuration it shows, and tells what it shows", () => {
    const [theirs = ""] = blocks("from-featbit.md", "json");
    const [ours = ""] = blocks("from-featbit.md", "yaml");
    const [, told = ""] = blocks("from-featbit.md", "text");
    const settings = settingsOfFile(theirs, "appsettings.json");
    const { yaml, warnings } = convertFeatbit(settings, {
      source: "appsettings.json",
      admin: "127.0.0.1:9400",
      isStrict: true,
    });
    expect(yaml).toBe(ours);
    expect(`${warnings.join("\n")}\n`).toBe(told);
  });
});

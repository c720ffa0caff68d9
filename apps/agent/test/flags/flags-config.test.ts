import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@posthouse/service";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { encodeToken } from "@posthouse/testkit/featbit/token";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type AgentConfig, agentConfigSchema, createAgent } from "../../src/index.ts";
import { collectLog, portOf } from "../harness.ts";
import { makeTlsFolder, noOpenssl, type TlsFolder } from "../listeners/harness.ts";

const parse = (flags: object, rest: object = {}): AgentConfig =>
  parseConfig(JSON.stringify({ state: "/s", flags, ...rest }), "posthouse.yaml", agentConfigSchema, {});
const manual = { mode: "manual", api_key: "rp-this-agent" };

test("it listens on FeatBit's port, with room for many", () => {
  const { flags } = parse(manual);
  expect(flags).toMatchObject({
    listen: { host: "0.0.0.0", port: 6100 },
    limits: { connections: 50_000, keep_alive: 65_000 },
    token_tolerance: 30_000,
    relay_keys: [],
    sessions: { queue: 262_144, send_time: 15_000, silence: 60_000 },
  });
});

test.each([
  ["flags.relay_keys[0].key", { ...manual, relay_keys: [{ key: "no" }] }, {}],
  ["flags.sessions.silence", { ...manual, sessions: { silence: "10ms" } }, {}],
  ["flags.listen", { ...manual, listen: "127.0.0.1:9400" }, { admin: { listen: "127.0.0.1:9400" } }],
  ["flags.streaming_uri", {}, {}],
])("%s is refused", (path, flags, rest) => {
  expect(() => parse(flags, rest)).toThrow(path);
});

describe.skipIf(noOpenssl !== undefined)("with TLS", () => {
  let files: TlsFolder;
  let state: string;
  beforeAll(async () => {
    files = await makeTlsFolder();
    files.authority.issue({ file: "flags", names: ["DNS:flags.example"] });
    state = await mkdtemp(join(tmpdir(), "posthouse-flags-"));
  });
  afterAll(async () => {
    await files[Symbol.asyncDispose]();
    await rm(state, { recursive: true, force: true });
  });

  test("SDKs are served over wss, through a reload, and told when it ends", async () => {
    const certificates = [{ cert: join(files.folder, "flags.pem"), key: join(files.folder, "flags.key") }];
    const config = (more: object = {}): AgentConfig =>
      parse({ ...manual, listen: "127.0.0.1:0", tls: { certificates }, ...more }, { state });
    const agent = createAgent(config(), { log: collectLog().log });
    await agent.start();
    const port = portOf(agent.addresses.flags);
    // Without a certificate of its authority: only what travels counts here.
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      const answer = await fetch(`https://127.0.0.1:${port}/api/public/proxy/bootstrap`, {
        method: "POST",
        headers: { authorization: "rp-this-agent", "content-type": "application/json" },
        body: JSON.stringify(exampleDump()),
      });
      expect(answer.status).toBe(200);
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
    const secret = exampleDump().items[0]?.secrets[0]?.value ?? "";
    const socket = new WebSocket(
      `wss://127.0.0.1:${port}/streaming?type=server&token=${encodeToken(secret)}`,
      {
        rejectUnauthorized: false,
      },
    );
    const messages: string[] = [];
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("message", (data) => messages.push(String(data)));
    await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
    socket.send('{"messageType":"data-sync","data":{"timestamp":0}}');
    await expect.poll(() => messages.length).toBe(1);
    await agent.reload(config({ token_tolerance: "1m" }));
    socket.send('{"messageType":"ping","data":null}');
    await expect.poll(() => messages.at(-1)).toBe('{"messageType":"pong","data":{}}');
    await agent.stop(5000);
    expect(await closed).toBe(1001);
  });
});

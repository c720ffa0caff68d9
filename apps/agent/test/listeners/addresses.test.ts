import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@posthouse/service";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentConfigSchema, createAgent } from "../../src/index.ts";
import { startProxy } from "../proxy/harness.ts";
import { dial, echo, exchangeOn, startBackend } from "./harness.ts";

const get = "GET /x HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
const client = (text: string): string | undefined => /"x-forwarded-for":"([^"]*)"/.exec(text)?.[1];
const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === "::1"),
);
if (!hasIpv6) console.warn("SKIPPED: this machine has no IPv6");

describe("unix sockets", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "posthouse-unix-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const ask = async (path: string): Promise<string> => {
    const socket = connect(path);
    await once(socket, "connect");
    return exchangeOn(socket, get);
  };

  it("serve with mode 0660, and are gone afterwards", async () => {
    await using backend = await startBackend(echo);
    const path = join(folder, "a.sock");
    const proxy = await startProxy({ forward: backend.url, site: { listen: `unix:${path}` } });
    expect(proxy.agent.addresses.sites).toEqual([`unix:${path}`]);
    expect((await lstat(path)).mode & 0o777).toBe(0o660);
    const text = await ask(path);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(client(text)).toBe("unknown");
    await proxy[Symbol.asyncDispose]();
    await expect(lstat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("are for the admin address, too", async () => {
    const path = join(folder, "admin.sock");
    const state = join(folder, "state");
    const config = agentConfigSchema.parse({ state, admin: { listen: `unix:${path}` } });
    const agent = createAgent(config, { log: createLog({ format: "json", level: "silent" }) });
    await agent.start();
    try {
      expect(agent.addresses.admin).toBe(`unix:${path}`);
      const socket = connect(path);
      await once(socket, "connect");
      const asked = "GET /health/live HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n";
      expect(await exchangeOn(socket, asked)).toMatch(/^HTTP\/1\.1 200 [\s\S]*\{"live":true\}/);
    } finally {
      await agent.stop(500);
    }
    await expect(lstat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("are trusted proxies by the name unix", async () => {
    await using backend = await startBackend(echo);
    const path = join(folder, "b.sock");
    const site = { listen: `unix:${path}`, trusted_proxies: ["unix"] };
    await using _proxy = await startProxy({ forward: backend.url, site });
    expect(client(await ask(path))).toBe("192.0.2.1, unknown");
  });

  it("replace what a dead process left, and nothing else", async () => {
    const forward = "http://127.0.0.1:1";
    const dead = join(folder, "dead.sock");
    const script = `require("net").createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, "SIGKILL"))`;
    await once(spawn(process.execPath, ["-e", script]), "exit");
    expect((await lstat(dead)).isSocket()).toBe(true);
    await using _proxy = await startProxy({ forward, site: { listen: `unix:${dead}` } });
    expect(await ask(dead)).toMatch(/^HTTP\/1\.1 502 /);

    const live = join(folder, "live.sock");
    const server = createServer().listen(live);
    await once(server, "listening");
    await expect(startProxy({ forward, site: { listen: `unix:${live}` } })).rejects.toMatchObject({
      code: "PORT_IN_USE",
    });
    expect((await lstat(live)).isSocket()).toBe(true);
    server.close();

    const file = join(folder, "file");
    await writeFile(file, "precious");
    await expect(startProxy({ forward, site: { listen: `unix:${file}` } })).rejects.toMatchObject({
      code: "LISTEN_FAILED",
    });
    expect((await lstat(file)).size).toBe(8);
  });

  it.each(["unix:", "unix:relative.sock", `unix:/${"x".repeat(200)}`])("cannot be %s", async (listen) => {
    await expect(startProxy({ forward: "http://127.0.0.1:1", site: { listen } })).rejects.toThrow(
      /sites\[0\]\.listen/,
    );
  });
});

describe.skipIf(!hasIpv6)("IPv6", () => {
  it("is listened on", async () => {
    await using backend = await startBackend(echo);
    await using proxy = await startProxy({ forward: backend.url, site: { listen: "[::1]:0" } });
    expect(proxy.agent.addresses.sites[0]).toMatch(/^\[::1\]:\d+$/);
    expect(client(await exchangeOn(await dial(proxy.port, "::1"), get))).toBe("::1");
  });

  it("and IPv4 arrive at [::]; IPv4 clients are known by their IPv4 address", async () => {
    await using backend = await startBackend(echo);
    const site = { listen: "[::]:0", trusted_proxies: ["127.0.0.1"] };
    await using proxy = await startProxy({ forward: backend.url, site });
    expect(client(await exchangeOn(await dial(proxy.port, "::1"), get))).toBe("::1");
    expect(client(await exchangeOn(await dial(proxy.port, "127.0.0.1"), get))).toBe("192.0.2.1, 127.0.0.1");
  });

  it("peers mapped from IPv4 are matched by networks of the PROXY protocol", async () => {
    await using backend = await startBackend(echo);
    const site = { listen: "[::]:0", proxy_protocol: { from: ["127.0.0.1"] } };
    await using proxy = await startProxy({ forward: backend.url, site });
    const text = await exchangeOn(await dial(proxy.port), `PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n${get}`);
    expect(client(text)).toBe("192.0.2.7");
  });
});

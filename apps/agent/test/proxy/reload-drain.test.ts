/** What runs through a forward, a listener or into an access log goes on when a reload changes these. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RawBackend, startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AgentConfig } from "../../src/index.ts";
import { type ProxyHarness, startProxy } from "./harness.ts";

const deadlineMs = 30_000;
const download = (port: number): Promise<string> =>
  exchangeBytes(port, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n", { deadlineMs });
const upgrade = (port: number): Promise<string> =>
  exchangeBytes(port, "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", {
    deadlineMs,
  });

let backend: RawBackend;
let finish: () => void;
beforeEach(async () => {
  backend = await startRawBackend(({ socket, received }) => {
    if (received.startsWith("GET /up"))
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello");
    else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none");
    finish = () => void socket.write("two");
  });
});
afterEach(() => backend[Symbol.asyncDispose]());

/** The configuration with another limit of its forward: a forward of its own. */
function changed(config: AgentConfig, max_body: number): AgentConfig {
  const sites = config.sites.map((site) => ({
    ...site,
    hosts: site.hosts.map((host) => ({ ...host, forward: host.forward && { ...host.forward, max_body } })),
  }));
  return { ...config, sites };
}

const start = (drain?: Record<string, string>, site?: Record<string, unknown>): Promise<ProxyHarness> =>
  startProxy({
    forward: `http://127.0.0.1:${backend.port}`,
    ...(drain && { drain }),
    ...(site && { site }),
  });
const running = (count: number): Promise<void> =>
  until(
    "they run",
    async () => backend.connections.filter(({ received }) => received !== "").length === count,
  );
const retired = async (proxy: ProxyHarness): Promise<number> =>
  Number(/posthouse_config_retired_parts (\d+)/.exec(await proxy.metrics())?.[1]);

describe("a reload with another forward", () => {
  it("lets a download end that runs, shows it meanwhile, and gives it an hour", async () => {
    await using proxy = await start();
    expect(proxy.config.drain).toEqual({ reload: 3_600_000, stop: 10_000 });
    const events = download(proxy.port);
    await running(1);
    await proxy.agent.reload(changed(proxy.config, 1));
    expect(await retired(proxy)).toBe(1);
    finish();
    await until("the rest", async () => (await retired(proxy)) === 0);
    await proxy.agent.stop(1000);
    expect(await events).toMatch(/onetwo$/);
  });

  it("cuts what outlasts drain.reload", async () => {
    await using proxy = await start({ reload: "300ms" });
    const events = download(proxy.port);
    await running(1);
    await proxy.agent.reload(changed(proxy.config, 1));
    expect(await events).toMatch(/one$/);
    await until("nothing is left", async () => (await retired(proxy)) === 0);
  });

  it("ends what is left within the deadline of a stop", async () => {
    await using proxy = await start();
    const both = [download(proxy.port), upgrade(proxy.port)];
    await running(2);
    await until("the tunnel", async () => /posthouse_proxy_tunnels\{[^}]*\} 1\n/.test(await proxy.metrics()));
    await proxy.agent.reload(changed(proxy.config, 1));
    await proxy.agent.stop(300);
    expect(await Promise.all(both)).toEqual([expect.stringMatching(/one$/), expect.stringMatching(/hello$/)]);
  }, 20_000);

  it("ends the oldest of more than 16 such reloads within drain.stop", async () => {
    await using proxy = await start({ stop: "100ms" });
    const streams: Promise<string>[] = [];
    for (let round = 1; round <= 17; round++) {
      streams.push(download(proxy.port));
      await running(round);
      await proxy.agent.reload(changed(proxy.config, round));
    }
    expect(await streams[0]).toMatch(/one$/);
    expect(await retired(proxy)).toBe(16);
    await proxy.agent.stop(100);
    await Promise.all(streams);
  }, 20_000);
});

it("a listener that goes ends within the deadline of a stop", async () => {
  await using proxy = await start();
  const events = download(proxy.port);
  await running(1);
  await proxy.agent.reload({ ...proxy.config, sites: [] });
  expect(await retired(proxy)).toBe(2);
  await proxy.agent.stop(300);
  expect(await events).toMatch(/one$/);
}, 20_000);

it("an access log that goes takes the lines of what still runs", async () => {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-drain-"));
  try {
    const path = join(folder, "old.log");
    await using proxy = await start(undefined, { access_log: { path, format: "$request $status" } });
    const events = download(proxy.port);
    await running(1);
    const sites = proxy.config.sites.map((site) => ({ ...site, access_log: undefined }));
    await proxy.agent.reload({ ...proxy.config, sites });
    finish();
    await until("the line", async () => (await readFile(path, "utf8")) === "GET /events HTTP/1.1 200\n");
    await until("nothing is left", async () => (await retired(proxy)) === 0);
    await proxy.agent.stop(100);
    await events;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

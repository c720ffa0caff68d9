import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeServer, listenOn } from "@posthouse/service";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { describe, expect, it } from "vitest";
import { createAgent } from "../src/index.ts";
import { collectLog, makeConfig, startHarness } from "./harness.ts";

const directory = (): Promise<string> => mkdtemp(join(tmpdir(), "posthouse-agent-"));
const nobody = "http://127.0.0.1:9";

describeLifecycle({
  name: "the agent",
  async create() {
    const folder = await directory();
    const part = createAgent(makeConfig(nobody, folder), { log: collectLog().log });
    return { part, cleanUp: () => rm(folder, { recursive: true, force: true }) };
  },
  async createFailing() {
    const folder = await directory();
    const other = createServer();
    const { port } = await listenOn(other, { host: "127.0.0.1", port: 0 });
    const part = createAgent(makeConfig(nobody, folder, { listen: `127.0.0.1:${port}` }), {
      log: collectLog().log,
    });
    return {
      part,
      repair: () => closeServer(other, 0),
      cleanUp: () => rm(folder, { recursive: true, force: true }),
    };
  },
});

describe("starting", () => {
  it("says when the state directory cannot be written", async () => {
    const folder = await directory();
    const state = join(folder, "file");
    await writeFile(state, "");
    const agent = createAgent(makeConfig(nobody, folder, { state }), { log: collectLog().log });
    await expect(agent.start()).rejects.toMatchObject({
      code: "STATE_NOT_WRITABLE",
      message: expect.stringContaining(state),
    });
    await agent.stop(1000);
    await rm(folder, { recursive: true });
  });

  it("says when a port is taken, and leaves no other listening", async () => {
    const folder = await directory();
    const other = createServer();
    const { port } = await listenOn(other, { host: "127.0.0.1", port: 0 });
    const agent = createAgent(makeConfig(nobody, folder, { listen: `127.0.0.1:${port}` }), {
      log: collectLog().log,
    });
    await expect(agent.start()).rejects.toMatchObject({ code: "PORT_IN_USE" });
    expect(agent.addresses).toEqual({ sites: [] });
    await closeServer(other, 0);
    await rm(folder, { recursive: true });
  });

  it("serves from disk when the Manager is gone", async () => {
    await using harness = await startHarness();
    await harness.agent.stop(2000);
    await harness.manager.stop();
    const second = createAgent(harness.config(), { log: collectLog().log });
    await second.start();
    const answer = await fetch(`http://${second.addresses.sites[0]}/old`, { redirect: "manual" });
    expect([answer.status, answer.headers.get("location")]).toEqual([302, "/new"]);
    const status = (await (await fetch(`http://${second.addresses.admin}/status`)).json()) as {
      projects: Record<string, { loadedFrom: string }>;
    };
    expect(status.projects.shop?.loadedFrom).toBe("disk");
    await second.stop(2000);
  });
});

describe("draining", () => {
  it("finishes a request that has begun, tells its client to reconnect, and takes no new one", async () => {
    await using harness = await startHarness();
    const port = harness.sitePort;
    const socket = connect(port, "127.0.0.1").setEncoding("latin1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.write("GET /old HTTP/1.1\r\nHost: a\r\n\r\nGET /old HTTP/1.1\r\n");
    while (!text.includes("\r\n\r\n")) await new Promise((resolve) => socket.once("data", resolve));
    const stopped = harness.agent.stop(10_000);
    await expect(
      new Promise((resolve, reject) => connect(port, "127.0.0.1").on("connect", resolve).on("error", reject)),
    ).rejects.toThrow("ECONNREFUSED");
    socket.write("Host: a\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    await stopped;
    const [first, second] = text.split(/(?=HTTP\/1\.1 )/);
    expect(first).toContain("Connection: keep-alive");
    expect(second).toContain("Location: /new");
    expect(second).toContain("Connection: close");
  });

  it("ends what does not finish at the deadline", async () => {
    await using harness = await startHarness();
    const socket = connect(harness.sitePort, "127.0.0.1").on("error", () => {});
    await new Promise<void>((resolve) => socket.write("GET /old HTTP/1.1\r\n", () => resolve()));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await harness.agent.stop(100);
    await closed;
  });
});

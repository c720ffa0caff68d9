import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { describe, expect, it, vi } from "vitest";
import { createAgent } from "../src/index.ts";
import { collectLog, type Harness, makeConfig, portOf, startHarness } from "./harness.ts";

const ask = (harness: Harness, path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${harness.adminPort}${path}`, init);

describe("health", () => {
  it("tells live, ready and fresh apart", async () => {
    await using harness = await startHarness();
    expect((await ask(harness, "/health/live")).status).toBe(200);
    expect(await (await ask(harness, "/health/ready?job=redirects")).json()).toEqual({ ready: true });
    expect((await ask(harness, "/health/ready?job=flags")).status).toBe(404);
    expect(await (await ask(harness, "/health/fresh?max=1m")).json()).toEqual({ fresh: true });
    expect((await ask(harness, "/health/fresh?max=1")).status).toBe(400);
    await harness.manager.stop();
    await vi.waitFor(
      async () => expect((await ask(harness, "/health/fresh?max=1s")).status).toBe(503),
      10_000,
    );
    expect(await (await ask(harness, "/health/fresh?max=1s")).json()).toMatchObject({
      stale: { shop: expect.stringContaining("checked") },
    });
    expect((await ask(harness, "/health/ready")).status).toBe(200);
    const entries = (wanted: string): unknown[] =>
      harness.entries.filter(({ level, operation }) => level === wanted && operation === "check");
    await vi.waitFor(() => expect(entries("debug").length).toBeGreaterThan(1), 10_000);
    expect(entries("warn")).toHaveLength(1);
  });

  it("is not ready without rules, and answers 503 for them", async () => {
    const { log } = collectLog();
    const directory = await mkdtemp(join(tmpdir(), "posthouse-agent-"));
    const agent = createAgent(makeConfig("http://127.0.0.1:9", directory), { log });
    await agent.start();
    try {
      const ready = await fetch(`http://${agent.addresses.admin}/health/ready`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toEqual({ ready: false, reasons: { redirects: "no rules yet: shop" } });
      const answer = await fetch(`http://${agent.addresses.sites[0]}/old`);
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    } finally {
      await agent.stop(2000);
      await rm(directory, { recursive: true });
    }
  });
});

describe("status and metrics", () => {
  it("show what is served, without secrets", async () => {
    await using harness = await startHarness();
    const text = await (await ask(harness, "/status")).text();
    expect(JSON.parse(text)).toMatchObject({
      name: "test.agent",
      projects: {
        shop: {
          manager: { url: harness.manager.url, namespace: "production", project: "shop" },
          version: 1,
          hash: expect.stringMatching(/^[0-9a-f]{64}$/),
          redirects: 1,
          problems: 0,
        },
      },
      sites: [{ listen: "127.0.0.1:0", hosts: [{ match: ["*"], project: "shop" }] }],
    });
    expect(text).not.toContain("good");
    const metrics = await ask(harness, "/metrics");
    expect(metrics.headers.get("content-type")).toContain("text/plain");
    expect(await metrics.text()).toMatch(/posthouse_replica_version\{project="shop"\} 1\n/);
  });

  it("ask for the token when there is one; health does not", async () => {
    await using harness = await startHarness(undefined, { adminToken: "s3cret" });
    for (const path of ["/status", "/metrics"]) {
      expect((await ask(harness, path)).status).toBe(401);
      for (const authorization of ["Bearer wrong", "Bearer ", "s3cret", "Basic s3cret", "Bearer s3cret2"]) {
        expect((await ask(harness, path, { headers: { authorization } })).status).toBe(401);
      }
      expect((await ask(harness, path, { headers: { authorization: "bearer s3cret" } })).status).toBe(200);
    }
    expect((await ask(harness, "/health/live")).status).toBe(200);
  });

  it("only read, and tell what there is", async () => {
    await using harness = await startHarness();
    const post = await ask(harness, "/status", { method: "POST" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(await (await ask(harness, "/")).text()).toContain("/health/ready");
  });

  it("survive a client that leaves before its metrics", async () => {
    await using harness = await startHarness();
    const socket = connect(harness.adminPort, "127.0.0.1", () => {
      socket.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", () => socket.resetAndDestroy());
    });
    socket.on("error", () => {});
    await new Promise((resolve) => socket.on("close", resolve));
    const answer = await exchangeBytes(
      harness.adminPort,
      "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    expect(answer).toContain("posthouse_http_requests_total");
  });
});

describe("an admin address that others can reach", () => {
  it("is warned about without a token", async () => {
    await using open = await startHarness(undefined, { adminListen: "0.0.0.0:0" });
    const warned = ({ entries }: Harness): boolean =>
      entries.some(({ msg }) => String(msg).includes("admin.token"));
    expect(warned(open)).toBe(true);
    await using closed = await startHarness(undefined, { adminListen: "0.0.0.0:0", adminToken: "t" });
    expect(warned(closed)).toBe(false);
    expect(portOf(closed.agent.addresses.admin)).toBeGreaterThan(0);
  });
});

import { connect, type Socket } from "node:net";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes, sendRaw } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { type ProxyHarness, startProxy } from "./harness.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const refused = async (proxy: ProxyHarness, reason: string): Promise<number> =>
  Number(
    new RegExp(`posthouse_http_refused_total\\{listener="site [^"]*",reason="${reason}"\\} (\\d+)`).exec(
      await proxy.metrics(),
    )?.[1],
  );

describe("the limits of a site", () => {
  it("bound the headers, in number and size, also after a reload", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    await using proxy = await startProxy({
      forward: `http://127.0.0.1:${backend.port}`,
      site: { limits: { headers: 10, header_size: "2KiB" } },
    });
    const ask = (count: number, value: string): ReturnType<typeof sendRaw> =>
      sendRaw(proxy.port, [
        "GET / HTTP/1.1",
        "Host: a",
        ...Array.from({ length: count }, (_, index) => `X-${index}: ${value}`),
      ]);
    expect((await ask(8, "1")).status).toBe(200);
    expect((await ask(9, "1")).status).toBe(431);
    expect((await ask(2, "x".repeat(1100))).status).toBe(431);
    expect(await refused(proxy, "too_large")).toBe(2);
    const [site] = proxy.config.sites;
    if (site === undefined) throw new Error("no site");
    const limits = { ...site.limits, headers: 20, header_size: 8192 };
    await proxy.agent.reload({ ...proxy.config, sites: [{ ...site, limits }] });
    expect((await ask(9, "1")).status).toBe(200);
    expect((await ask(2, "x".repeat(1100))).status).toBe(200);
  });

  it("bound the time for headers and for bodies", async () => {
    await using backend = await startRawBackend(() => {});
    await using proxy = await startProxy({
      forward: `http://127.0.0.1:${backend.port}`,
      site: { limits: { header_time: "300ms", request_time: "1s" } },
    });
    const headers = await exchangeBytes(proxy.port, "GET / HTTP/1.1\r\nHost: a\r\n", { deadlineMs: 20_000 });
    expect(headers).toMatch(/^HTTP\/1\.1 408 /);
    const body = await exchangeBytes(
      proxy.port,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
      { deadlineMs: 20_000 },
    );
    expect(body).toMatch(/^HTTP\/1\.1 408 /);
    expect(await refused(proxy, "timeout")).toBe(2);
  });

  it("bound connections, and the requests of one", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    await using proxy = await startProxy({
      forward: `http://127.0.0.1:${backend.port}`,
      site: { limits: { connections: 2, requests_per_connection: 2 } },
    });
    const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const answered = await exchangeBytes(proxy.port, request + request);
    expect(answered.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(answered).toMatch(/Connection: close/i);
    const open: Socket[] = [];
    for (let index = 0; index < 2; index++) open.push(connect(proxy.port, "127.0.0.1"));
    await until("two connections", async () =>
      /posthouse_http_open_connections\{listener="site [^}]*\} 2\n/.test(await proxy.metrics()),
    );
    expect(await exchangeBytes(proxy.port, request).catch(() => "")).toBe("");
    expect(await refused(proxy, "connections")).toBe(1);
    for (const socket of open) socket.destroy();
  });

  it("close connections that stay idle", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    await using proxy = await startProxy({
      forward: `http://127.0.0.1:${backend.port}`,
      site: { limits: { keep_alive: "200ms" } },
    });
    const answer = await exchangeBytes(proxy.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", {
      deadlineMs: 20_000,
    });
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(await proxy.metrics()).toMatch(/posthouse_http_idle_closed_total\{listener="site [^"]*"\} 1\n/);
  });
});

describe("metrics of a forward", () => {
  it("tell durations, connections and whether an upstream is asked", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    const url = `http://127.0.0.1:${backend.port}`;
    await using proxy = await startProxy({ forward: url });
    await sendRaw(proxy.port, ["GET / HTTP/1.1", "Host: a"]);
    const text = await proxy.metrics();
    const labels = `site="*",upstream="${url}"`;
    for (const line of [
      'posthouse_proxy_request_duration_seconds_count{site="*"} 1',
      'posthouse_proxy_request_duration_seconds_bucket{site="*",le="+Inf"} 1',
      `posthouse_proxy_upstream_response_seconds_count{${labels}} 1`,
      `posthouse_proxy_upstream_requests_total{${labels}} 1`,
      `posthouse_proxy_upstream_open_connections{${labels}} 1`,
      `posthouse_proxy_upstream_idle_connections{${labels}} 1`,
      `posthouse_proxy_upstream_waiting{${labels}} 0`,
      `posthouse_proxy_upstream_available{${labels}} 1`,
    ])
      expect(text).toContain(`${line}\n`);
  });

  it("count a connection that was upgraded until it is closed", async () => {
    await using backend = await startRawBackend(({ socket }) => {
      socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello");
    });
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    expect(await exchangeBytes(proxy.port, upgrade)).toMatch(/hello$/);
    await until("no connection", async () =>
      /posthouse_http_open_connections\{listener="site [^}]*\} 0\n/.test(await proxy.metrics()),
    );
  });
});

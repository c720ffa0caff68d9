import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@posthouse/service";
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { sendRaw } from "@posthouse/testkit/raw-http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AgentConfig, agentConfigSchema } from "../../src/index.ts";
import { startProxy } from "./harness.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-pages-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const nobody = "http://127.0.0.1:1";
const get = ["GET / HTTP/1.1", "Host: a"];

describe("error pages", () => {
  it("stand in for a backend that fails, and for one that is not there", async () => {
    await writeFile(join(folder, "502.html"), "<h1>Back soon – 502</h1>");
    await writeFile(join(folder, "404.json"), '{"error":"none"}');
    await using proxy = await startProxy({
      forward: nobody,
      site: {
        hosts: [
          { match: ["down.example"], forward: nobody, error_pages: { 502: join(folder, "502.html") } },
          { match: ["none.example"], error_pages: { 404: join(folder, "404.json") } },
        ],
      },
    });
    const down = await sendRaw(proxy.port, ["GET / HTTP/1.1", "Host: down.example"]);
    expect(down.status).toBe(502);
    expect(down.header("content-type")).toBe("text/html; charset=utf-8");
    expect(Buffer.from(down.body, "latin1").toString()).toBe("<h1>Back soon – 502</h1>");
    const none = await sendRaw(proxy.port, ["GET / HTTP/1.1", "Host: none.example"]);
    expect([none.status, none.header("content-type"), none.body]).toEqual([
      404,
      "application/json",
      '{"error":"none"}',
    ]);
    expect(await proxy.metrics()).toContain(
      'posthouse_proxy_errors_total{site="down.example",status="502"} 1\n',
    );
  });

  it("are read again with the configuration; what is missing keeps the old ones", async () => {
    const page = join(folder, "502.txt");
    await writeFile(page, "first");
    await using proxy = await startProxy({ forward: nobody, host: { error_pages: { 502: page } } });
    const config = proxy.config;
    expect((await sendRaw(proxy.port, get)).body).toBe("first");
    await writeFile(page, "second");
    await proxy.agent.reload(config);
    expect((await sendRaw(proxy.port, get)).body).toBe("second");
    await rm(page);
    await expect(proxy.agent.reload(config)).rejects.toMatchObject({ code: "FILE_NOT_READABLE" });
    expect((await sendRaw(proxy.port, get)).body).toBe("second");
  });

  it("are for what the agent itself answers", () => {
    const text = `state: s\nsites:\n  - listen: 127.0.0.1:0\n    hosts:\n      - error_pages:\n          418: teapot.html\n`;
    expect(() => parseConfig<AgentConfig>(text, "p.yaml", agentConfigSchema, {})).toThrow(
      /p\.yaml:6:\d+ {2}sites\[0\]\.hosts\[0\]\.error_pages\.418: the agent itself answers only 404, 408/,
    );
  });
});

describe("what a failed backend is answered with", () => {
  it("is 502 and 504, and 503 with compat: redirectionio", async () => {
    await using silent = await startRawBackend(() => {});
    const slow = { upstreams: [`http://127.0.0.1:${silent.port}`], timeouts: { first_byte: "100ms" } };
    for (const [compat, wanted] of [
      [undefined, [502, 504]],
      ["redirectionio", [503, 503]],
    ] as const) {
      const site = compat === undefined ? {} : { compat };
      await using down = await startProxy({ forward: nobody, site });
      await using late = await startProxy({ forward: slow, site });
      expect([(await sendRaw(down.port, get)).status, (await sendRaw(late.port, get)).status]).toEqual(
        wanted,
      );
    }
  });
});

describe("a request that goes in circles", () => {
  it.each([
    ["127.0.0.1:8000", "http://127.0.0.1:8000"],
    ["127.0.0.1:8000", "http://localhost:8000"],
    ["127.0.0.1:8000", "http://0.0.0.0:8000"],
    ["0.0.0.0:80", "http://127.0.0.1"],
    ["0.0.0.0:443", "https://127.0.0.9"],
    ["[::]:8000", "http://[::1]:8000"],
  ])("is refused beforehand: %s forwards to %s", (listen, upstream) => {
    const text = `state: s\nsites:\n  - listen: 127.0.0.1:9999\n    hosts:\n      - forward:\n          upstreams:\n            - http://127.0.0.1:1\n            - ${upstream}\n  - listen: "${listen}"\n    hosts:\n      - {}\n`;
    expect(() => parseConfig<AgentConfig>(text, "p.yaml", agentConfigSchema, {})).toThrow(
      /p\.yaml:8:15 {2}sites\[0\]\.hosts\[0\]\.forward\.upstreams\[1\]: \S+ is sites\[1\] itself/,
    );
  });

  it("is not seen where there is none", () => {
    const text = `state: s\nsites:\n  - listen: 127.0.0.1:8000\n    hosts:\n      - forward:\n          upstreams: ["http://127.0.0.2:8000", "http://127.0.0.1:8001", "http://example.com:8000", "unix:/x"]\n`;
    expect(parseConfig<AgentConfig>(text, "p.yaml", agentConfigSchema, {}).sites).toHaveLength(1);
  });
});

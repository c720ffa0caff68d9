import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { startPeer } from "../src/peer-process.ts";
import { slopePerHour } from "../src/peer-trend.ts";
import { freePort, needPackage, startNginx } from "../src/services.ts";

const nginx = await needPackage("nginx-light", "nginx");
if ("missing" in nginx) console.warn(`NOT TESTED: ${nginx.missing}`);

describe.runIf("path" in nginx)("our own nginx", () => {
  it("serves on a port of its own and is gone afterwards", async () => {
    if (!("path" in nginx)) return;
    let folder = "";
    const server = await startNginx({
      path: nginx.path,
      files: { "greeting.conf": 'return 200 "hello";' },
      http: (port, own) => {
        folder = own;
        return `server { listen 127.0.0.1:${port}; location / { include ${own}/greeting.conf; } }`;
      },
    });
    expect(await (await fetch(`http://127.0.0.1:${server.port}/`)).text()).toBe("hello");
    const usage = await server.usage();
    expect(usage.rssBytes).toBeGreaterThan(2 ** 20);
    expect(await server.stop()).toBe(0);
    await expect(fetch(`http://127.0.0.1:${server.port}/`)).rejects.toThrow();
    expect(existsSync(folder)).toBe(false);
  });

  it("says why it did not start", async () => {
    if (!("path" in nginx)) return;
    const start = startNginx({ path: nginx.path, http: () => "no_such_directive on;" });
    await expect(start).rejects.toThrow(/no_such_directive/);
  });
});

describe("a peer process", () => {
  it("that ends or does not exist is a failed start with its output", async () => {
    const port = await freePort();
    const args = ["-e", "console.error('out of luck'); process.exit(3)"];
    await expect(startPeer({ command: process.execPath, args, port })).rejects.toThrow(/out of luck/);
    await expect(startPeer({ command: "/no/such/program", args: [], port })).rejects.toThrow(/ENOENT/);
  });

  it("that ignores SIGTERM is killed", { timeout: 20_000 }, async () => {
    const port = await freePort();
    const script = `process.on("SIGTERM", () => {}); require("node:http").createServer().listen(${port}, "127.0.0.1")`;
    const peer = await startPeer({ command: process.execPath, args: ["-e", script], port });
    expect(await peer.stop()).toBe(-1);
  });
});

describe("a slope", () => {
  it("is the rise per hour, and 0 of too few points", () => {
    expect(
      slopePerHour([
        [0, 1],
        [1000, 2],
        [2000, 3],
      ]),
    ).toBeCloseTo(3600);
    expect(slopePerHour([[0, 1]])).toBe(0);
    expect(slopePerHour([])).toBe(0);
  });
});

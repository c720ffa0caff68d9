/** NODE_OPTIONS of a machine cannot make the agent lenient: it would take what the backend reads otherwise. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPosthouse } from "@posthouse/testkit/posthouse-process";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { expect, it } from "vitest";

it.each([
  ["both lengths", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a control character", "X: a\x01b\r\n\r\n"],
  ["a head of 20 KiB", `X: ${"x".repeat(20_000)}\r\n\r\n`],
])("%s is refused under --insecure-http-parser too", async (_, rest) => {
  const folder = mkdtempSync(join(tmpdir(), "posthouse-strict-"));
  const file = join(folder, "agent.yaml");
  const site = { listen: "127.0.0.1:0", hosts: [{}] };
  writeFileSync(file, JSON.stringify({ state: folder, log: { format: "json" }, sites: [site] }));
  const agent = startPosthouse(["agent", "-c", file], {
    env: { NODE_OPTIONS: "--insecure-http-parser --max-http-header-size=100000" },
  });
  try {
    const [, port] = await agent.printed(/"sites":\["127\.0\.0\.1:(\d+)"/);
    const answer = await exchangeBytes(
      Number(port),
      `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${rest}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 4(?:00|31) /);
  } finally {
    agent.signal("SIGTERM");
    await agent.exited;
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Why a backend did not answer is in the log, where who looks after it finds the cause of a 502. */
import { copyFileSync, readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createLog, parseConfig } from "@posthouse/service";
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Agent, type AgentConfig, agentConfigSchema, createAgent } from "../../src/index.ts";
import { createFailureLog } from "../../src/proxy/failure-log.ts";
import { makeTlsFolder, noOpenssl, type TlsFolder } from "../listeners/harness.ts";
import { startProxy } from "./harness.ts";

let files: TlsFolder;
let port: number;
let stopBackend: () => void;

const config = (ca?: string): AgentConfig =>
  parseConfig<AgentConfig>(
    JSON.stringify({
      state: join(files.folder, "state"),
      sites: [
        {
          listen: "127.0.0.1:0",
          hosts: [
            {
              match: ["*"],
              forward: {
                upstreams: [`https://127.0.0.1:${port}`],
                tls: { server_name: "backend.example", ...(ca !== undefined && { ca }) },
              },
            },
          ],
        },
      ],
    }),
    "posthouse.yaml",
    agentConfigSchema,
    {},
  );

async function withAgent(
  first: AgentConfig,
  use: (agent: Agent, lines: readonly string[], get: () => Promise<number>) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const agent = createAgent(first, { log: createLog({ format: "json", level: "info", destination }) });
  await agent.start();
  try {
    await use(agent, lines, async () => (await fetch(`http://${agent.addresses.sites[0]}/`)).status);
  } finally {
    await agent.stop(500);
  }
}

describe.skipIf(noOpenssl !== undefined)("with a backend behind TLS", () => {
  beforeAll(async () => {
    files = await makeTlsFolder();
    const { cert, key } = files.authority.issue({ file: "backend", names: ["DNS:backend.example"] });
    const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, response) =>
      response.end("ok"),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
    stopBackend = () => void server.close();
  });
  afterAll(async () => {
    stopBackend();
    await files[Symbol.asyncDispose]();
  });

  it("a certificate that nobody vouches for, once for many requests", async () => {
    await withAgent(config(), async (_, lines, get) => {
      for (let count = 0; count < 3; count++) expect(await get()).toBe(502);
      const told = lines.map((line) => JSON.parse(line)).filter(({ upstream }) => upstream !== undefined);
      expect(told).toEqual([
        expect.objectContaining({
          level: "warn",
          site: "*",
          upstream: `https://127.0.0.1:${port}`,
          reason: "unreachable",
          error: expect.objectContaining({
            code: "BACKEND_UNREACHABLE",
            message: expect.stringContaining("certificate"),
          }),
        }),
      ]);
    });
  });

  it("a `tls.ca` whose file was replaced is read again on reload", async () => {
    await using others = await makeTlsFolder();
    const ca = join(files.folder, "trusted.pem");
    copyFileSync(others.authority.ca, ca);
    await withAgent(config(ca), async (agent, _, get) => {
      expect(await get()).toBe(502);
      copyFileSync(files.authority.ca, ca);
      await agent.reload(config(ca));
      expect(await get()).toBe(200);
    });
  });
});

describe("which limit struck", () => {
  it.each([
    // Silent within the TLS handshake.
    ["connect", { connect: "100ms" }, "", "https"],
    ["first_byte", { first_byte: "100ms" }, ""],
    ["idle", { idle: "100ms" }, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"],
    ["total", { total: "100ms" }, ""],
  ])("%s", async (limit, timeouts, answer, scheme = "http") => {
    await using backend = await startRawBackend(({ socket }) => void socket.write(answer));
    const url = `${scheme}://127.0.0.1:${backend.port}`;
    await using proxy = await startProxy({ forward: { upstreams: [url], timeouts } });
    await exchangeBytes(proxy.port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const told = proxy.entries.filter(({ upstream }) => upstream === url);
    expect(told).toEqual([expect.objectContaining({ level: "warn", reason: "timed_out", limit })]);
  });
});

it("after ten seconds again, with the number of those left out", () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  let now = 0;
  const tell = createFailureLog(createLog({ format: "json", level: "info", destination }), "a", () => now);
  const failure = { upstream: undefined, reason: "closed" } as const;
  for (now of [0, 1, 9_999]) tell(failure);
  tell({ ...failure, reason: "timed_out" });
  now = 10_000;
  tell(failure);
  now = 30_000;
  tell(failure);
  expect(lines.map((line) => JSON.parse(line)).map(({ reason, leftOut }) => [reason, leftOut])).toEqual([
    ["closed", undefined],
    ["timed_out", undefined],
    ["closed", 2],
    ["closed", undefined],
  ]);
});

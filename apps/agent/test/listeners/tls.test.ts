import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLog, parseConfig } from "@posthouse/service";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentConfigSchema, createAgent } from "../../src/index.ts";
import { startProxy } from "../proxy/harness.ts";
import {
  echo,
  exchangeOn,
  handshake,
  makeTlsFolder,
  noOpenssl,
  startBackend,
  type TlsFolder,
} from "./harness.ts";

const get = "GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

describe.skipIf(noOpenssl !== undefined)("TLS", () => {
  let files: TlsFolder;
  beforeAll(async () => {
    files = await makeTlsFolder();
    files.authority.issue({ file: "first", names: ["DNS:a.example"] });
    files.authority.issue({ file: "second", names: ["DNS:b.example", "DNS:*.c.example"] });
  });
  afterAll(() => files[Symbol.asyncDispose]());

  const pair = (file: string): { cert: string; key: string } => ({
    cert: join(files.folder, `${file}.pem`),
    key: join(files.folder, `${file}.key`),
  });
  const site = (tls: object = {}): { tls: object } => ({
    tls: { certificates: [pair("first"), pair("second")], ...tls },
  });
  const subject = async (port: number, servername?: string): Promise<string | undefined> => {
    const socket = await handshake(port, servername === undefined ? {} : { servername });
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return String(CN);
  };

  it("forwards HTTP/1.1 and says https", async () => {
    await using backend = await startBackend(echo);
    await using proxy = await startProxy({ forward: backend.url, site: site() });
    const ca = readFileSync(files.authority.ca);
    const socket = await handshake(proxy.port, { ca, rejectUnauthorized: true, servername: "a.example" });
    expect(socket.getProtocol()).toBe("TLSv1.3");
    const text = await exchangeOn(socket, get);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(text).toContain('"x-forwarded-proto":"https"');
    expect(text).toContain('"x-forwarded-for":"127.0.0.1"');
  });

  it("chooses the certificate by name, and the first for others", async () => {
    await using proxy = await startProxy({ forward: "http://127.0.0.1:1", site: site() });
    expect(await subject(proxy.port, "a.example")).toBe("first");
    expect(await subject(proxy.port, "b.example")).toBe("second");
    expect(await subject(proxy.port, "B.EXAMPLE")).toBe("second");
    expect(await subject(proxy.port, "x.c.example")).toBe("second");
    expect(await subject(proxy.port, "x.y.c.example")).toBe("first");
    expect(await subject(proxy.port, "c.example")).toBe("first");
    expect(await subject(proxy.port, "unknown.example")).toBe("first");
    expect(await subject(proxy.port)).toBe("first");
  });

  it("agrees on HTTP/2 where it is offered, and refuses what nobody speaks", async () => {
    await using proxy = await startProxy({ forward: "http://127.0.0.1:1", site: site() });
    await using plain = await startProxy({ forward: "http://127.0.0.1:1", site: site({ http2: false }) });
    const agreed = async (port: number, ...ALPNProtocols: string[]): Promise<string | false | null> => {
      const socket = await handshake(port, { ALPNProtocols });
      socket.destroy();
      return socket.alpnProtocol;
    };
    expect(await agreed(proxy.port, "http/1.1", "h2")).toBe("h2");
    expect(await agreed(proxy.port, "http/1.1")).toBe("http/1.1");
    expect(await agreed(plain.port, "h2", "http/1.1")).toBe("http/1.1");
    await expect(agreed(proxy.port, "spdy/3")).rejects.toThrow(/no application protocol/);
    // Clients that left before the handshake was done on this side count, too.
    await until("it is counted", async () => /reason="tls"\} [1-9]/.test(await proxy.metrics()));
  });

  it("speaks no old version and no cipher without forward secrecy", async () => {
    await using proxy = await startProxy({ forward: "http://127.0.0.1:1", site: site() });
    await using strict = await startProxy({
      forward: "http://127.0.0.1:1",
      site: site({ min_version: "TLSv1.3" }),
    });
    await using chosen = await startProxy({
      forward: "http://127.0.0.1:1",
      site: site({ ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" }),
    });
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await expect(handshake(proxy.port, old)).rejects.toThrow(/alert|version/);
    const twelve = { maxVersion: "TLSv1.2" } as const;
    const weak = { ...twelve, ciphers: "ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256" };
    await expect(handshake(proxy.port, weak)).rejects.toThrow(/handshake failure/);
    const fine = await handshake(proxy.port, twelve);
    expect(fine.getProtocol()).toBe("TLSv1.2");
    fine.destroy();
    await expect(handshake(strict.port, twelve)).rejects.toThrow(/version/);
    const named = await handshake(chosen.port, twelve);
    expect(named.getCipher().name).toBe("ECDHE-ECDSA-AES256-GCM-SHA384");
    named.destroy();
  });

  it("does not renegotiate", async () => {
    await using proxy = await startProxy({ forward: "http://127.0.0.1:1", site: site() });
    const socket = await handshake(proxy.port, { maxVersion: "TLSv1.2" });
    const error = await new Promise<Error | null>((resolve) => {
      socket.on("error", resolve);
      socket.renegotiate({}, resolve);
    });
    expect(String(error)).toMatch(/no renegotiation/i);
    socket.destroy();
  });

  it("answers plain HTTP on a TLS port with the end of the connection", async () => {
    await using proxy = await startProxy({ forward: "http://127.0.0.1:1", site: site() });
    const { dial } = await import("./harness.ts");
    const text = await exchangeOn(await dial(proxy.port), get);
    expect(text).not.toContain("HTTP/1.1");
    await until("it is counted", async () => /reason="tls"\} 1/.test(await proxy.metrics()));
  });

  it.each([
    [
      "a missing certificate",
      { cert: "none.pem" },
      "TLS_FILE_UNREADABLE",
      "certificates[1].cert",
      "none.pem",
    ],
    ["a missing key", { key: "none.key" }, "TLS_FILE_UNREADABLE", "certificates[1].key", "none.key"],
    [
      "a file that is no certificate",
      { cert: "first.key" },
      "TLS_FILE_UNUSABLE",
      "certificates[1].cert",
      "first.key",
    ],
    ["a file that is no key", { key: "first.pem" }, "TLS_FILE_UNUSABLE", "certificates[1].key", "first.pem"],
    [
      "a key of another certificate",
      { key: "first.key" },
      "TLS_KEY_MISMATCH",
      "certificates[1].key",
      "first.key",
    ],
  ])("refuses to start with %s", async (_, change, code, key, file) => {
    const certificate = { ...pair("second"), ...mapFiles(change) };
    const start = startProxy({
      forward: "http://127.0.0.1:1",
      site: { tls: { certificates: [pair("first"), certificate] } },
    });
    await expect(start).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`sites[0].tls.${key}`),
    });
    await expect(start).rejects.toThrow(join(files.folder, file));
  });

  function mapFiles(change: object): object {
    return Object.fromEntries(Object.entries(change).map(([key, file]) => [key, join(files.folder, file)]));
  }

  it("refuses to start with ciphers that do not exist, and with authorities that are none", async () => {
    const forward = "http://127.0.0.1:1";
    await expect(startProxy({ forward, site: site({ ciphers: "NONE-SUCH" }) })).rejects.toMatchObject({
      code: "TLS_SETTINGS_UNUSABLE",
    });
    const client_certificates = { ca: join(files.folder, "first.key") };
    await expect(startProxy({ forward, site: site({ client_certificates }) })).rejects.toMatchObject({
      code: "TLS_FILE_UNUSABLE",
      message: expect.stringContaining("sites[0].tls.client_certificates.ca"),
    });
  });

  it("serves changed files to new connections, and the old ones when the new cannot be used", async () => {
    files.authority.issue({ file: "live", names: ["DNS:live.example"], subject: "one" });
    await using proxy = await startProxy({
      forward: "http://127.0.0.1:1",
      site: { tls: { certificates: [pair("first"), pair("live")] } },
    });
    const name = (): Promise<string | undefined> => subject(proxy.port, "live.example");
    expect(await name()).toBe("one");
    files.authority.issue({ file: "live", names: ["DNS:live.example"], subject: "two" });
    await until("the new certificate is served", async () => (await name()) === "two");
    writeFileSync(pair("live").cert, "nonsense");
    await until("it is counted", async () =>
      /certificate_reloads_total\{[^}]*refused"\} [1-9]/.test(await proxy.metrics()),
    );
    expect(await name()).toBe("two");
    const status = async (): Promise<string> =>
      (await fetch(`http://${proxy.agent.addresses.admin}/status`)).text();
    expect(JSON.parse(await status())).toMatchObject({
      sites: [
        {
          certificateFailure: {
            code: "TLS_FILE_UNUSABLE",
            message: expect.stringMatching(
              /^sites\[0\]\.tls\.certificates\[1\]\.cert: the file \S+live\.pem holds/,
            ),
            since: expect.any(String),
          },
        },
      ],
    });
    files.authority.issue({ file: "live", names: ["DNS:live.example"], subject: "three" });
    await until("the repaired certificate is served", async () => (await name()) === "three");
    await until("all is well", async () => !(await status()).includes("certificateFailure"));
    expect(await proxy.metrics()).toMatch(/certificate_expiry_timestamp_seconds\{.*live\.pem"\} \d+/);
  });

  it("serves a changed first certificate to clients that name no host", async () => {
    files.authority.issue({ file: "only", names: ["DNS:only.example"], subject: "one" });
    await using proxy = await startProxy({
      forward: "http://127.0.0.1:1",
      site: { tls: { certificates: [pair("only")] } },
    });
    expect(await subject(proxy.port)).toBe("one");
    files.authority.issue({ file: "only", names: ["DNS:only.example"], subject: "two" });
    await until("the new certificate is served", async () => (await subject(proxy.port)) === "two");
  });

  it("changes settings on reload, and keeps the old ones when the new cannot be used", async () => {
    const config = (file: string, port: number): ReturnType<typeof parse> =>
      parse(file, port, pair(file), files.folder);
    const agent = createAgent(config("first", 0), { log: createLog({ format: "json", level: "silent" }) });
    await agent.start();
    try {
      const port = Number(agent.addresses.sites[0]?.split(":").at(-1));
      expect(await subject(port)).toBe("first");
      await agent.reload(config("second", 0));
      expect(await subject(port)).toBe("second");
      await expect(agent.reload(config("none", 0))).rejects.toMatchObject({ code: "TLS_FILE_UNREADABLE" });
      expect(await subject(port)).toBe("second");
    } finally {
      await agent.stop(500);
    }
  });

  it("ends the connections that never shook hands when it stops", async () => {
    const proxy = await startProxy({ forward: "http://127.0.0.1:1", site: site() });
    const { dial } = await import("./harness.ts");
    const socket = await dial(proxy.port);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => {});
    await until("it is open", async () =>
      /open_connections\{listener="site.*"\} 1/.test(await proxy.metrics()),
    );
    await proxy[Symbol.asyncDispose]();
    await closed;
  });
});

function parse(_: string, port: number, pair: { cert: string; key: string }, state: string) {
  const text = JSON.stringify({
    state: join(state, "state"),
    sites: [{ listen: `127.0.0.1:${port}`, tls: { certificates: [pair] }, hosts: [{ match: ["*"] }] }],
  });
  return parseConfig(text, "posthouse.yaml", agentConfigSchema, {});
}

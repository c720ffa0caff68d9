import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import type { ConnectionOptions } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startProxy } from "../proxy/harness.ts";
import {
  ask2,
  echo,
  exchangeOn,
  handshake,
  hangUp,
  makeTlsFolder,
  noOpenssl,
  startBackend,
  type TlsFolder,
} from "./harness.ts";

const get = "GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

describe.skipIf(noOpenssl !== undefined)("client certificates", () => {
  let files: TlsFolder;
  let strangers: TlsFolder;
  let good: ConnectionOptions;
  let bad: ConnectionOptions;
  let tls: object;
  beforeAll(async () => {
    [files, strangers] = await Promise.all([makeTlsFolder(), makeTlsFolder()]);
    const load = ({ cert, key }: { cert: string; key: string }): ConnectionOptions => ({
      cert: readFileSync(cert),
      key: readFileSync(key),
    });
    good = load(files.authority.issue({ file: "client", names: [] }));
    bad = load(strangers.authority.issue({ file: "stranger", names: [] }));
    const certificates = [
      files.authority.issue({ file: "a", names: ["DNS:a.example"] }),
      files.authority.issue({ file: "b", names: ["DNS:b.example"] }),
    ];
    tls = { certificates };
  });
  afterAll(async () => {
    await files[Symbol.asyncDispose]();
    await strangers[Symbol.asyncDispose]();
  });
  const site = (required?: boolean): Record<string, unknown> => ({
    tls: {
      ...tls,
      client_certificates: { ca: files.authority.ca, ...(required === undefined ? {} : { required }) },
    },
  });
  /** The status line, or what went wrong. TLS 1.3 tells a client after its handshake. */
  const answer = async (port: number, options: ConnectionOptions): Promise<string> => {
    try {
      const socket = await handshake(port, options);
      return (await exchangeOn(socket, get)).slice(0, 12) || "closed";
    } catch (error) {
      return `refused: ${(error as Error).message}`;
    }
  };

  it("are required, of every name and version", async () => {
    await using backend = await startBackend(echo);
    await using proxy = await startProxy({ forward: backend.url, site: site() });
    for (const servername of ["a.example", "b.example", "c.example"]) {
      for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
        const options = { servername, maxVersion };
        expect(await answer(proxy.port, { ...options, ...good })).toBe("HTTP/1.1 200");
        expect(await answer(proxy.port, { ...options, ...bad })).toMatch(/^(refused|closed)/);
        expect(await answer(proxy.port, options)).toMatch(/^(refused|closed)/);
      }
    }
    expect(await proxy.metrics()).toMatch(/reason="tls"\} 12/);
  });

  it("may be left out where they are not required; a bad one is refused still", async () => {
    await using backend = await startBackend(echo);
    await using proxy = await startProxy({ forward: backend.url, site: site(false) });
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      expect(await answer(proxy.port, { ...good, maxVersion })).toBe("HTTP/1.1 200");
      expect(await answer(proxy.port, { maxVersion })).toBe("HTTP/1.1 200");
      expect(await answer(proxy.port, { ...bad, maxVersion })).toMatch(/^(refused|closed)/);
    }
  });

  it("are required for HTTP/2, too", async () => {
    await using backend = await startBackend(echo);
    await using proxy = await startProxy({ forward: backend.url, site: site() });
    const open = (options: ConnectionOptions) => {
      const session = connect(`https://127.0.0.1:${proxy.port}`, { rejectUnauthorized: false, ...options });
      session.on("error", () => {});
      return session;
    };
    const known = open(good);
    expect(await ask2(known)).toMatchObject({ status: 200 });
    await hangUp(known);
    const unknown = open({});
    expect(await ask2(unknown)).toMatchObject({ status: 0 });
    await hangUp(unknown);
  });
});

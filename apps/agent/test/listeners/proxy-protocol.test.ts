import { readFileSync } from "node:fs";
import { connect as connect2 } from "node:http2";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { startProxy } from "../proxy/harness.ts";
import {
  ask2,
  type Backend,
  dial,
  echo,
  exchangeOn,
  hangUp,
  makeTlsFolder,
  noOpenssl,
  startBackend,
} from "./harness.ts";

const get = "GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
const announced = "PROXY TCP4 192.0.2.7 192.0.2.8 1234 443\r\n";
const from = { proxy_protocol: { from: ["127.0.0.0/8"] } };
const local = Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex");
const packed = Buffer.from("0d0a0d0a000d0a515549540a2111000cc0000209c00002080001000a", "hex");

const client = (text: string): string | undefined => /"x-forwarded-for":"([^"]*)"/.exec(text)?.[1];
const withBackend = async (use: (backend: Backend) => Promise<void>): Promise<void> => {
  await using backend = await startBackend(echo);
  await use(backend);
};

describe("the PROXY protocol", () => {
  it.each<[string, Buffer, string]>([
    ["version 1", Buffer.from(announced), "192.0.2.7"],
    ["version 1 for IPv6", Buffer.from("PROXY TCP6 2001:db8::9 ::1 1 2\r\n"), "2001:db8::9"],
    ["version 2", packed, "192.0.2.9"],
    ["LOCAL", local, "127.0.0.1"],
    ["UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n"), "127.0.0.1"],
  ])("tells the client, by %s, in one packet or byte by byte", async (_, header, wanted) => {
    await withBackend(async (backend) => {
      await using proxy = await startProxy({ forward: backend.url, site: from });
      const whole = await exchangeOn(await dial(proxy.port), Buffer.concat([header, Buffer.from(get)]));
      expect(client(whole)).toBe(wanted);
      const socket = await dial(proxy.port);
      socket.setNoDelay(true);
      for (const byte of header) {
        socket.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(client(await exchangeOn(socket, get))).toBe(wanted);
    });
  });

  it("is the peer that trusted_proxies judges", async () => {
    await withBackend(async (backend) => {
      const site = { ...from, trusted_proxies: ["192.0.2.7"] };
      await using proxy = await startProxy({ forward: backend.url, site });
      const request = get.replace("Connection", "X-Forwarded-For: 198.51.100.1\r\nConnection");
      expect(client(await exchangeOn(await dial(proxy.port), announced + request))).toBe(
        "198.51.100.1, 192.0.2.7",
      );
      const other = announced.replace("192.0.2.7", "192.0.2.77");
      expect(client(await exchangeOn(await dial(proxy.port), other + request))).toBe("192.0.2.77");
    });
  });

  it("is not heard from others: they are served without, and their header is no HTTP", async () => {
    await withBackend(async (backend) => {
      const site = { proxy_protocol: { from: ["10.0.0.0/8"] } };
      await using proxy = await startProxy({ forward: backend.url, site });
      expect(client(await exchangeOn(await dial(proxy.port), get))).toBe("127.0.0.1");
      expect(await exchangeOn(await dial(proxy.port), announced + get)).toMatch(/^HTTP\/1.1 400 /);
    });
  });

  it("is wanted from those that are trusted: without it the connection is closed and counted", async () => {
    await withBackend(async (backend) => {
      await using proxy = await startProxy({ forward: backend.url, site: from });
      expect(await exchangeOn(await dial(proxy.port), get)).toBe("");
      expect(await exchangeOn(await dial(proxy.port), "PROXY TCP4 x\r\n")).toBe("");
      const silent = await dial(proxy.port);
      expect(await exchangeOn(silent, "PROXY TC")).toBe("");
      const ended = await dial(proxy.port);
      ended.end();
      await until("all are counted", async () => /reason="proxy_protocol"\} 4/.test(await proxy.metrics()));
    });
  });

  it("keeps the connection's client over several requests", async () => {
    await withBackend(async (backend) => {
      await using proxy = await startProxy({ forward: backend.url, site: from });
      const first = get.replace("Connection: close\r\n", "");
      const text = await exchangeOn(await dial(proxy.port), announced + first + get);
      expect([...text.matchAll(/"x-forwarded-for":"192\.0\.2\.7"/g)]).toHaveLength(2);
    });
  });

  it.skipIf(noOpenssl !== undefined)("stands before TLS, for HTTP/1.1 and HTTP/2", async () => {
    await using files = await makeTlsFolder();
    const tls = { certificates: [files.authority.issue({ file: "a", names: ["DNS:a.example"] })] };
    const ca = readFileSync(join(files.folder, "ca.pem"));
    await withBackend(async (backend) => {
      await using proxy = await startProxy({ forward: backend.url, site: { ...from, tls } });
      const secured = async (ALPNProtocols: string[]) => {
        const socket = await dial(proxy.port);
        socket.write(announced);
        return connectTls({ socket, ca, servername: "a.example", ALPNProtocols });
      };
      expect(client(await exchangeOn(await secured(["http/1.1"]), get))).toBe("192.0.2.7");
      const socket = await secured(["h2"]);
      const session = connect2("https://a.example", { createConnection: () => socket });
      expect(client((await ask2(session)).body)).toBe("192.0.2.7");
      await hangUp(session);
    });
  });
});

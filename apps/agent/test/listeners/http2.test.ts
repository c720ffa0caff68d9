import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { needPackage } from "@posthouse/testkit/services";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startProxy } from "../proxy/harness.ts";
import {
  ask2,
  echo,
  hangUp,
  makeTlsFolder,
  noOpenssl,
  session2,
  startBackend,
  type TlsFolder,
} from "./harness.ts";

const curl = await needPackage("curl", "curl");
const noCurl = "missing" in curl ? curl.missing : undefined;
if (noCurl !== undefined) console.warn(`SKIPPED: ${noCurl}`);

describe.skipIf(noOpenssl !== undefined)("HTTP/2", () => {
  let files: TlsFolder;
  let site: { tls: object };
  beforeAll(async () => {
    files = await makeTlsFolder();
    const names = ["DNS:a.example", "DNS:localhost", "IP:127.0.0.1"];
    site = { tls: { certificates: [files.authority.issue({ file: "a", names })] } };
  });
  afterAll(() => files[Symbol.asyncDispose]());

  it("forwards a request as HTTP/1.1 and its answer back", async () => {
    await using backend = await startBackend(echo);
    await using proxy = await startProxy({ forward: backend.url, host: { preserve_host: true }, site });
    const session = session2(proxy.port, readFileSync(files.authority.ca));
    const answer = await ask2(session, {
      ":path": "/a%20b?c=d",
      cookie: ["a=1", "b=2"],
      "x-a": ["1", "2"],
      te: "trailers",
    });
    await hangUp(session);
    expect(answer.status).toBe(200);
    const got = JSON.parse(answer.body);
    expect(got).toMatchObject({ method: "GET", url: "/a%20b?c=d", body: "" });
    expect(got.headers).toMatchObject({
      host: "a.example",
      cookie: "a=1; b=2",
      "x-a": "1, 2",
      te: "trailers",
      via: expect.stringMatching(/^2\.0 posthouse-[0-9a-f]{8}$/),
      "x-forwarded-proto": "https",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-host": "a.example",
    });
    expect(got.rawHeaders.slice(0, 2)).toEqual(["host", "a.example"]);
    expect(got.headers).not.toHaveProperty("transfer-encoding");
    expect(answer.headers).not.toHaveProperty("connection");
    expect(answer.headers).not.toHaveProperty("transfer-encoding");
  });

  it("sends bodies with and without a length, and trailers both ways", async () => {
    await using backend = await startBackend((request, response) => {
      response.writeHead(200, { Trailer: "X-End" });
      response.addTrailers({ "X-End": "2" });
      echo(request, response);
    });
    await using proxy = await startProxy({ forward: backend.url, site });
    const session = session2(proxy.port);
    const known = await ask2(session, { ":method": "POST", "content-length": "3" }, "abc");
    expect(JSON.parse(known.body)).toMatchObject({ body: "abc", headers: { "content-length": "3" } });
    const chunked = await ask2(session, { ":method": "POST" }, "abc");
    expect(JSON.parse(chunked.body)).toMatchObject({
      body: "abc",
      headers: { "transfer-encoding": "chunked" },
    });
    expect(chunked.trailers).toMatchObject({ "x-end": "2" });
    const withTrailers = await new Promise<string>((resolve) => {
      let text = "";
      const stream = session.request({ ":method": "POST", ":path": "/" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "7", host: "evil" }));
      stream.on("data", (chunk) => {
        text += chunk;
      });
      stream.on("end", () => resolve(text));
      stream.end("abc");
    });
    expect(JSON.parse(withTrailers)).toMatchObject({ body: "abc", trailers: { "x-sum": "7" } });
    expect(JSON.parse(withTrailers).trailers).not.toHaveProperty("host");
    await hangUp(session);
  });

  it("keeps repeated headers, 1xx, HEAD, 204 and 304", async () => {
    await using backend = await startBackend((request, response) => {
      const status = Number(request.url?.slice(1)) || 200;
      if (request.url === "/hints") response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      if (request.url === "/twice") {
        response.writeHead(200, [
          "Content-Language",
          "a",
          "Content-Language",
          "b",
          "Age",
          "1",
          "Age",
          "2",
          "X-Latin",
          "\xe9",
        ]);
        response.end("x");
        return;
      }
      response.writeHead(status, [
        "Set-Cookie",
        "a=1",
        "Set-Cookie",
        "b=2",
        "Keep-Alive",
        "timeout=5",
        "X-A",
        "1",
      ]);
      response.end(status === 200 ? "text" : undefined);
    });
    await using proxy = await startProxy({ forward: backend.url, site });
    const session = session2(proxy.port);
    const repeated = await ask2(session);
    expect(repeated).toMatchObject({
      status: 200,
      body: "text",
      headers: { "set-cookie": ["a=1", "b=2"], "x-a": "1" },
    });
    expect(repeated.headers).not.toHaveProperty("keep-alive");
    expect(await ask2(session, { ":path": "/hints" })).toMatchObject({ informed: [103], status: 200 });
    expect(await ask2(session, { ":path": "/twice" })).toMatchObject({
      status: 200,
      body: "x",
      error: undefined,
      headers: { "x-latin": "\xe9" },
    });
    expect(await ask2(session, { ":method": "HEAD" })).toMatchObject({
      status: 200,
      body: "",
      error: undefined,
    });
    for (const status of [204, 304, 404, 500]) {
      expect(await ask2(session, { ":path": `/${status}` })).toMatchObject({
        status,
        body: "",
        error: undefined,
      });
    }
    await hangUp(session);
  });

  it("passes on that a client waits for 100", async () => {
    await using backend = await startBackend(echo);
    await using proxy = await startProxy({ forward: backend.url, site });
    const session = session2(proxy.port);
    const answer = await new Promise<{ continued: boolean; status: number }>((resolve) => {
      const stream = session.request({ ":method": "POST", ":path": "/", expect: "100-continue" });
      let continued = false;
      stream.on("continue", () => {
        continued = true;
        stream.end("abc");
      });
      stream.on("response", (headers) => resolve({ continued, status: Number(headers[":status"]) }));
      stream.resume();
    });
    expect(answer).toEqual({ continued: true, status: 200 });
    expect(await ask2(session, { expect: "something" })).toMatchObject({ status: 417 });
    await hangUp(session);
  });

  it("moves 32 MiB both ways, many streams at once, whole", async () => {
    await using backend = await startBackend((request, response) => void request.pipe(response));
    await using proxy = await startProxy({ forward: backend.url, site });
    const session = session2(proxy.port);
    const body = Buffer.alloc(4 * 1024 * 1024, "0123456789").toString();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask2(session, { ":method": "POST" }, body)),
    );
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 200, error: undefined });
      expect(answer.body === body).toBe(true);
    }
    await hangUp(session);
  });

  it("reads from the backend only as fast as the client takes it", async () => {
    let sent = 0;
    await using backend = await startBackend((_, response) => {
      const more = (): void => {
        while (!response.destroyed) {
          sent += 65_536;
          if (!response.write(Buffer.alloc(65_536))) break;
        }
      };
      response.on("drain", more);
      response.on("error", () => {});
      more();
    });
    await using proxy = await startProxy({ forward: backend.url, site });
    const session = session2(proxy.port);
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => {});
    await new Promise((resolve) => stream.once("response", resolve));
    let before = -1;
    await until("the backend is held up", async () => {
      const same = sent === before;
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return same && sent === before;
    });
    expect(sent).toBeLessThan(32 * 1024 * 1024);
    await hangUp(session);
  });

  it("answers an early refusal of a body, then tells the client to stop", async () => {
    await using backend = await startBackend((_, response) => response.writeHead(403).end("no"));
    await using proxy = await startProxy({ forward: backend.url, site });
    const session = session2(proxy.port);
    const [status, code] = await new Promise<[number, number]>((resolve) => {
      const stream = session.request({ ":method": "POST", ":path": "/" });
      let got = 0;
      stream.on("response", (headers) => {
        got = Number(headers[":status"]);
      });
      stream.on("error", () => {});
      stream.on("close", () => resolve([got, stream.rstCode ?? -1]));
      stream.resume();
      stream.write("a");
    });
    expect([status, code]).toEqual([403, 0]);
    expect(await ask2(session)).toMatchObject({ status: 403 });
    await hangUp(session);
  });

  it("resets a stream whose answer broke off, and only that one", async () => {
    await using backend = await startBackend((request, response) => {
      if (request.url === "/whole") {
        response.end("whole");
        return;
      }
      response.writeHead(200, { "Content-Length": "100" });
      response.write("part", () => response.destroy());
    });
    await using proxy = await startProxy({ forward: backend.url, site });
    const session = session2(proxy.port);
    const broken = await ask2(session, { ":path": "/broken" });
    expect(broken.status).toBe(200);
    expect(broken.error).toMatch(/INTERNAL_ERROR/);
    expect(await ask2(session, { ":path": "/whole" })).toMatchObject({ status: 200, body: "whole" });
    await hangUp(session);
  });

  it("ends the request to the backend when the client gives up", async () => {
    let gone = false;
    let arrived = false;
    await using backend = await startBackend((request) => {
      arrived = true;
      request.on("close", () => {
        gone = true;
      });
    });
    await using proxy = await startProxy({ forward: backend.url, site });
    const session = session2(proxy.port);
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => {});
    await until("the backend has the request", async () => arrived);
    stream.close(8);
    await until("the backend hears of it", async () => gone);
    await hangUp(session);
  });

  it("finishes what is running when it stops, and takes nothing new", async () => {
    let finish: () => void = () => {};
    await using backend = await startBackend((_, response) => {
      finish = () => response.end("finished");
    });
    await using proxy = await startProxy({ forward: backend.url, site });
    const session = session2(proxy.port);
    let goaway = -1;
    session.on("goaway", (code) => {
      goaway = code;
    });
    const answer = ask2(session);
    await until("the backend has the request", async () => finish.toString().includes("finished"));
    const stopped = proxy.agent.stop(10_000);
    await until("the client is told", async () => goaway === 0);
    finish();
    expect(await answer).toMatchObject({ status: 200, body: "finished", error: undefined });
    await stopped;
    await hangUp(session);
  });

  it("answers a redirect without asking the backend", async () => {
    const rules = join(files.folder, "rules.json");
    const { writeFileSync } = await import("node:fs");
    const redirect = { type: "BASIC", source: "/old", target: "/new", status: "FOUND" };
    writeFileSync(rules, JSON.stringify({ redirects: [redirect], pages: [] }));
    await using proxy = await startProxy({
      forward: "http://127.0.0.1:1",
      projects: { shop: { file: rules } },
      host: { project: "shop" },
      site,
    });
    const session = session2(proxy.port);
    await until("the rules are there", async () => (await ask2(session, { ":path": "/old" })).status === 302);
    expect(await ask2(session, { ":path": "/old" })).toMatchObject({ headers: { location: "/new" } });
    expect(await ask2(session, { ":path": "/old", ":method": "POST" }, "x".repeat(100_000))).toMatchObject({
      status: 302,
    });
    expect(await ask2(session, { ":path": "/other" })).toMatchObject({ status: 502 });
    await hangUp(session);
  });

  it.skipIf(noCurl !== undefined)("serves curl", async () => {
    await using backend = await startBackend(echo);
    await using proxy = await startProxy({ forward: backend.url, site });
    const { spawn } = await import("node:child_process");
    const run = (...args: string[]): Promise<string> =>
      new Promise((resolve) => {
        let out = "";
        const all = ["-sS", "--cacert", files.authority.ca, "-w", " %{http_version}", ...args];
        const child = spawn("path" in curl ? curl.path : "curl", [
          ...all,
          `https://localhost:${proxy.port}/x`,
        ]);
        child.stdout.on("data", (chunk) => {
          out += chunk;
        });
        child.stderr.on("data", (chunk) => {
          out += chunk;
        });
        child.on("close", () => resolve(out));
      });
    expect(spawnSync("path" in curl ? curl.path : "curl", ["-V"], { encoding: "utf8" }).stdout).toContain(
      "HTTP2",
    );
    expect(await run("--http2", "--data-binary", `@${files.authority.ca}`)).toMatch(/BEGIN CERTIFICATE.* 2$/);
    expect(await run("--http1.1")).toMatch(/"via":"1.1 posthouse-[0-9a-f]{8}".* 1\.1$/);
    expect(await run("--http2", "-H", "Expect: 100-continue", "-d", "abc")).toMatch(/"body":"abc".* 2$/);
  });
});

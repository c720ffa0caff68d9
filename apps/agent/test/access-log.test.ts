import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@posthouse/service";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes, sendRaw } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAccessLogFile } from "../src/http/access-log/file.ts";
import { createAccessFormat } from "../src/http/access-log/format.ts";
import type { AccessRecord, AccessRequest } from "../src/http/access-log/record.ts";
import { startProxy } from "./proxy/harness.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-access-"));
  path = join(folder, "access.log");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const read = (file: string = path): Promise<string> => readFile(file, "utf8").catch(() => "");
const untilLogged = (text: string, file?: string): Promise<void> =>
  until(`${text} in the access log`, async () => (await read(file)).includes(text));

const record: AccessRecord = {
  arrivedAt: Date.UTC(2026, 10, 21, 17, 51, 17),
  client: "203.0.113.7",
  host: "shop.example",
  status: 200,
  bytes: 5,
  durationMs: 12.3456,
  upstream: undefined,
  upstreamMs: undefined,
  requestId: undefined,
  project: undefined,
  rule: undefined,
};
const request: AccessRequest = {
  method: "GET",
  target: "/a?b",
  httpVersion: "1.1",
  scheme: "http",
  rawHeaders: ["Host", "shop.example", "Referer", "http://r/", "User-Agent", 'odd "one"'],
};

describe("the formats of the access log", () => {
  it("combined is the one that readers of logs know", () => {
    expect(createAccessFormat("combined")(record, request)).toMatch(
      /^203\.0\.113\.7 - - \[\d\d\/Nov\/2026:\d\d:\d\d:17 [+-]\d{4}\] "GET \/a\?b HTTP\/1\.1" 200 5 "http:\/\/r\/" "odd \\x22one\\x22"$/,
    );
  });

  it("a template names what it wants, and - stands for what is not there", () => {
    const format = createAccessFormat("$status $request_time $upstream_addr $http_x_none $project/$rule $5");
    expect(format({ ...record, project: "shop", rule: 7 }, request)).toBe("200 0.012 - - shop/7 $5");
  });

  it("json is one object", () => {
    const line = createAccessFormat("json")({ ...record, upstream: "http://b", upstreamMs: 3 }, request);
    expect(JSON.parse(line)).toEqual({
      time: "2026-11-21T17:51:17.000Z",
      client: "203.0.113.7",
      method: "GET",
      scheme: "http",
      host: "shop.example",
      target: "/a?b",
      protocol: "HTTP/1.1",
      status: 200,
      bytes: 5,
      duration_ms: 12.346,
      upstream: "http://b",
      upstream_ms: 3,
      referer: "http://r/",
      user_agent: 'odd "one"',
    });
  });

  it("nothing that a client sends can end a field or a line, or reach a terminal", () => {
    const text = fc.string({ unit: "binary", maxLength: 40 });
    fc.assert(
      fc.property(text, text, text, (target, agent, host) => {
        const sent = { ...request, target, rawHeaders: ["User-Agent", agent, "Referer", target] };
        const combined = createAccessFormat("combined")({ ...record, host }, sent);
        expect(combined).toMatch(/^[\x20-\x7e]*$/);
        expect(combined.split('"')).toHaveLength(7);
        const json = createAccessFormat("json")({ ...record, host }, sent);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
        expect(json).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
        expect(JSON.parse(json)).toMatchObject({ target, host, user_agent: agent });
      }),
    );
  });
});

describe("the access log of a site", () => {
  it("has a line for what a backend answered, what failed and what no one answers", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    await using proxy = await startProxy({
      forward: `http://127.0.0.1:${backend.port}`,
      site: {
        request_id: "X-Request-Id",
        trusted_proxies: ["127.0.0.1"],
        access_log: { path, format: "json" },
        hosts: [
          { match: ["good.example"], forward: `http://127.0.0.1:${backend.port}` },
          { match: ["down.example"], forward: "http://127.0.0.1:1" },
          { match: ["none.example"] },
        ],
      },
    });
    const head = ["X-Forwarded-For: 203.0.113.9", "X-Request-Id: id-1", "User-Agent: a\tb"];
    await sendRaw(proxy.port, ["GET /good HTTP/1.1", "Host: good.example", ...head]);
    await sendRaw(proxy.port, ["GET /down HTTP/1.1", "Host: down.example", ...head]);
    await sendRaw(proxy.port, ["GET /none HTTP/1.1", "Host: none.example"]);
    await untilLogged("/none");
    expect((await sendRaw(proxy.port, ["GET /odd HTTP/1.1", "Host: a b"])).status).toBe(400);
    await untilLogged("/odd");
    const lines = (await read())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      {
        client: "203.0.113.9",
        status: 200,
        bytes: 2,
        target: "/good",
        upstream: `http://127.0.0.1:${backend.port}`,
        upstream_ms: expect.any(Number),
        request_id: "id-1",
        user_agent: "a\tb",
      },
      {
        client: "203.0.113.9",
        status: 502,
        target: "/down",
        upstream: "http://127.0.0.1:1",
        request_id: "id-1",
      },
      { client: "127.0.0.1", status: 404, target: "/none" },
      { client: "127.0.0.1", status: 400, target: "/odd", host: "a b" },
    ]);
    expect(await proxy.metrics()).toContain(`posthouse_access_log_lines_total{file="${path}"} 4\n`);
  });

  it("writes 499 for a client that went away, and 101 with the end of a tunnel", async () => {
    await using backend = await startRawBackend(({ socket, received }) => {
      if (received.endsWith("ping")) socket.end("pong");
      else if (received.startsWith("GET /up"))
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    });
    await using proxy = await startProxy({
      forward: `http://127.0.0.1:${backend.port}`,
      site: { access_log: { path, format: "$request_uri $status" } },
    });
    const client = connect(proxy.port, "127.0.0.1");
    client.write("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n");
    await until("the request at the backend", async () => backend.received.includes("/gone"));
    client.destroy();
    await untilLogged("/gone 499");
    await exchangeBytes(
      proxy.port,
      "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping",
    );
    await untilLogged("/up 101");
  });

  it("goes on in a new file after the old one was moved, and after SIGUSR1", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    await using proxy = await startProxy({
      forward: `http://127.0.0.1:${backend.port}`,
      site: { access_log: { path, format: "$request_uri" } },
    });
    const ask = (target: string): Promise<unknown> =>
      sendRaw(proxy.port, [`GET ${target} HTTP/1.1`, "Host: a"]);
    await ask("/first");
    await untilLogged("/first");
    await rename(path, `${path}.1`);
    process.kill(process.pid, "SIGUSR1");
    await until("a new file", async () => (await read(path)) === "" && (await exists(path)));
    await ask("/second");
    await untilLogged("/second");
    await rename(path, `${path}.2`);
    let asked = 0;
    await until("lines in a new file", async () => {
      await ask(`/third-${asked++}`);
      return (await read()).includes("/third");
    });
    expect(await read(`${path}.1`)).toBe("/first\n");
    const all = `${await read(`${path}.2`)}${await read()}`;
    await proxy.agent.stop(1000);
    const end = `${await read(`${path}.2`)}${await read()}`;
    expect(end.startsWith(all)).toBe(true);
    expect(end.split("\n").filter((line) => line.startsWith("/third"))).toHaveLength(asked);
  });

  it("that names an id which requests do not get is refused", async () => {
    const access_log = { path, format: "$status $request_id" };
    const started = startProxy({ forward: "http://127.0.0.1:1", site: { access_log } });
    await expect(started).rejects.toThrow(/access_log\.format: \$request_id would always be -/);
  });

  it("that cannot be opened is refused at the start", async () => {
    const access_log = { path: join(folder, "none", "access.log") };
    await expect(startProxy({ forward: "http://127.0.0.1:1", site: { access_log } })).rejects.toMatchObject({
      code: "ACCESS_LOG_NOT_WRITABLE",
    });
  });
});

describe("an access log that cannot keep up", () => {
  it("loses lines beyond its bound, and counts them", async () => {
    const counters = { lines: { value: 0 }, dropped: { value: 0 } };
    const file = createAccessLogFile({
      path,
      place: "access_log",
      counters,
      log: createLog({ format: "json", level: "silent" }),
    });
    await file.start();
    const line = "x".repeat(1023);
    for (let index = 0; index < 5000; index++) file.write(line);
    await file.stop(1000);
    expect(counters.lines.value).toBeGreaterThan(4000);
    expect(counters.lines.value).toBeLessThan(4200);
    expect(counters.dropped.value).toBe(5000 - counters.lines.value);
    expect((await read()).length).toBe(counters.lines.value * 1024);
  });
});

async function exists(file: string): Promise<boolean> {
  return readFile(file).then(
    () => true,
    () => false,
  );
}

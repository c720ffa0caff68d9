/** Several backends: how requests are spread, and what happens when one dies, hangs or comes back. */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { type ProxyParts, startProxyParts } from "./parts.ts";

interface Backend extends AsyncDisposable {
  readonly url: string;
  /** Requests that arrived, but for those of health checks: `METHOD /path`. */
  readonly seen: string[];
  /** What it does to a request from now on. `dies` cuts the connection once the request has arrived. */
  mode: "answers" | "hangs" | "dies" | "fails";
  /** Nobody listens any more; what is open is cut. */
  down(): Promise<void>;
  up(): Promise<void>;
}

async function startBackend(name: string): Promise<Backend> {
  const sockets = new Set<Socket>();
  let port = 0;
  let server: Server | undefined;
  const backend: Backend = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    seen: [],
    mode: "answers",
    async up() {
      const made = createServer((request, response) => {
        if (request.url !== "/health") backend.seen.push(`${request.method} ${request.url}`);
        if (backend.mode === "dies") request.resume().on("end", () => request.socket.resetAndDestroy());
        else if (backend.mode === "answers") request.resume().on("end", () => response.end(name));
        else if (backend.mode === "fails") response.writeHead(500).end();
      });
      made.on("connection", (socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
      });
      await new Promise<void>((resolve) => made.listen(port, "127.0.0.1", resolve));
      ({ port } = made.address() as AddressInfo);
      server = made;
    },
    async down() {
      const closed = new Promise((resolve) => server?.close(resolve));
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    },
    async [Symbol.asyncDispose]() {
      if (server?.listening === true) await backend.down();
    },
  };
  await backend.up();
  return backend;
}

const timeouts = { connect: "2s", first_byte: "300ms", idle: "2s" };

const start = (backends: readonly Backend[], forward: Record<string, unknown> = {}): Promise<ProxyParts> =>
  startProxyParts({ site: { upstreams: backends.map(({ url }) => url), timeouts, ...forward } });

/** The body, or the status when it is not 200. */
async function ask(proxy: ProxyParts, method = "GET", path = "/", body = ""): Promise<string> {
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: site\r\n${length}Connection: close\r\n\r\n`;
  const text = await exchangeBytes(proxy.port, head + body, { deadlineMs: 10_000 });
  const status = text.slice(9, 12);
  return status === "200" ? (/\r\n\r\n(?:\d\r\n)?(\w+)/.exec(text)?.[1] ?? "") : status;
}

async function asks(proxy: ProxyParts, count: number, method = "GET", body = ""): Promise<string[]> {
  const answers: string[] = [];
  for (let index = 0; index < count; index++) answers.push(await ask(proxy, method, `/${index}`, body));
  return answers;
}

const tally = (answers: readonly string[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(answers, (each) => each)].map(([name, all]) => [name, all.length]).toSorted(),
  );

describe("balancing", () => {
  it("goes round", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using c = await startBackend("c");
    await using proxy = await start([a, b, c]);
    const answers = await asks(proxy, 9);
    expect(tally(answers)).toEqual({ a: 3, b: 3, c: 3 });
    expect(answers.slice(0, 3)).toEqual(answers.slice(3, 6));
  });

  it("asks the one with the fewest requests under way", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    a.mode = "hangs";
    await using proxy = await start([a, b], {
      balance: "least_connections",
      timeouts: { first_byte: "20s" },
    });
    const pending: Promise<unknown>[] = [];
    while (a.seen.length === 0) {
      pending.push(ask(proxy, "POST").catch(() => {}));
      await until("it arrived", async () => a.seen.length + b.seen.length >= pending.length);
    }
    expect(tally(await asks(proxy, 6))).toEqual({ b: 6 });
    a.mode = "answers";
    await a.down();
    await Promise.all(pending);
  });

  it("by hash asks the same one for the same client, and another when that one is gone", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { balance: "hash", failures: { after: 1, leave_for: "1m" } });
    const before = tally(await asks(proxy, 6));
    expect(Object.values(before)).toEqual([6]);
    const [name] = Object.keys(before);
    await (name === "a" ? a : b).down();
    expect(tally(await asks(proxy, 6))).toEqual({ [name === "a" ? "b" : "a"]: 6 });
  });
});

describe("a backend that nobody reaches", () => {
  it("costs no request, with or without a body, and is left alone", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { failures: { after: 2, leave_for: "1m" } });
    await a.down();
    expect(tally(await asks(proxy, 5))).toEqual({ b: 5 });
    expect(tally(await asks(proxy, 5, "POST", "form"))).toEqual({ b: 5 });
    expect(await proxy.metrics()).toMatch(/posthouse_proxy_failures_total\{.*reason="unreachable"\} 2\n/);
    expect(await proxy.metrics()).toMatch(/posthouse_proxy_retries_total\{site="site"\} 2\n/);
  });

  it("is asked again later", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { failures: { after: 1, leave_for: "200ms" } });
    await a.down();
    expect(tally(await asks(proxy, 4))).toEqual({ b: 4 });
    await a.up();
    await until("it answers again", async () => (await ask(proxy)) === "a");
  });

  it("is a 502 when there is no other, and asked all the same", async () => {
    await using a = await startBackend("a");
    await using proxy = await start([a], { failures: { after: 1, leave_for: "1m" } });
    await a.down();
    expect(tally(await asks(proxy, 3))).toEqual({ 502: 3 });
    await a.up();
    expect(await ask(proxy)).toBe("a");
  });
});

describe("a backend that dies with a request in its hands", () => {
  it.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])("costs no %s", async (method) => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { failures: { after: 100 } });
    a.mode = "dies";
    const answers = await asks(proxy, 6, method);
    expect(tally(answers)).toEqual(method === "HEAD" ? { "": 6 } : { b: 6 });
    expect(a.seen).toHaveLength(3);
    expect(b.seen).toHaveLength(6);
  });

  it.each(["POST", "PATCH"])("never sees a %s twice, nor does another", async (method) => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { failures: { after: 100 } });
    a.mode = "dies";
    expect(tally(await asks(proxy, 6, method, "form"))).toEqual({ 502: 3, b: 3 });
    expect(tally(await asks(proxy, 6, method))).toEqual({ 502: 3, b: 3 });
    const all = [...a.seen, ...b.seen];
    expect(tally(all)).toEqual(
      Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`${method} /${index}`, 2])),
    );
  });

  it("does not get a PUT again whose body was begun", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { failures: { after: 100 } });
    a.mode = "dies";
    expect(tally(await asks(proxy, 6, "PUT", "form"))).toEqual({ 502: 3, b: 3 });
  });
});

describe("a backend that hangs", () => {
  it("costs one wait and the request, which is asked of nobody else, and is then left alone", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { failures: { after: 2, leave_for: "1m" } });
    a.mode = "hangs";
    expect(tally(await asks(proxy, 10))).toEqual({ 504: 2, b: 8 });
    expect([a.seen.length, b.seen.length]).toEqual([2, 8]);
  });

  it("costs one wait on a kept connection, too", async () => {
    await using a = await startBackend("a");
    await using proxy = await start([a], { failures: { after: 100 } });
    expect(await ask(proxy)).toBe("a");
    a.mode = "hangs";
    expect(await ask(proxy, "GET", "/hangs")).toBe("504");
    expect(a.seen).toEqual(["GET /", "GET /hangs"]);
  });

  it("gets what is left of the wait when the one before it died late", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { failures: { after: 100 }, timeouts: { first_byte: "2s" } });
    a.mode = "hangs";
    b.mode = "hangs";
    const begunAt = performance.now();
    const answer = ask(proxy);
    await until("it waits", async () => performance.now() - begunAt > 1500);
    const [first, second] = a.seen.length > 0 ? [a, b] : [b, a];
    await first.down();
    const diedAt = performance.now();
    expect(await answer).toBe("504");
    expect(second.seen).toHaveLength(1);
    // Half a second is left; a whole wait would be 2 s.
    expect(performance.now() - diedAt).toBeLessThan(2000);
  });

  it("costs a POST, which is sent once", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { failures: { after: 1, leave_for: "1m" } });
    a.mode = "hangs";
    expect(tally(await asks(proxy, 4, "POST", "form"))).toEqual({ 504: 1, b: 3 });
    expect(a.seen.length + b.seen.length).toBe(4);
  });

  it("is not waited for beyond the total", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b], { timeouts: { first_byte: "20s", total: "300ms" } });
    a.mode = "hangs";
    b.mode = "hangs";
    expect(await ask(proxy)).toBe("504");
    expect(a.seen.length + b.seen.length).toBe(1);
  });
});

describe("an answer of 500", () => {
  it("is an answer: nobody else is asked", async () => {
    await using a = await startBackend("a");
    await using b = await startBackend("b");
    await using proxy = await start([a, b]);
    a.mode = "fails";
    expect(tally(await asks(proxy, 4))).toEqual({ 500: 2, b: 2 });
  });
});

describe("active checks", () => {
  const health = { path: "/health", every: "50ms", timeout: "500ms" };

  it.each(["hangs", "dies", "fails"] as const)(
    "pass over a backend that %s until it is well",
    async (mode) => {
      await using a = await startBackend("a");
      await using b = await startBackend("b");
      a.mode = mode;
      await using proxy = await start([a, b], { health, failures: { after: 1000 } });
      const [first] = proxy.forwards.get("site")?.upstreams ?? [];
      await until("it is found ill", async () => first?.healthy === false);
      a.seen.splice(0);
      expect(tally(await asks(proxy, 6, "POST", "form"))).toEqual({ b: 6 });
      expect(a.seen).toEqual([]);
      a.mode = "answers";
      await until("it is found well", async () => first?.healthy === true);
      expect(tally(await asks(proxy, 6))).toEqual({ a: 3, b: 3 });
    },
  );

  it("need no room among the connections that requests use", async () => {
    await using a = await startBackend("a");
    await using proxy = await start([a], {
      health,
      connections: { max: 1 },
      timeouts: { first_byte: "20s" },
    });
    const [only] = proxy.forwards.get("site")?.upstreams ?? [];
    await until("it is found well", async () => only?.healthy === true);
    a.mode = "hangs";
    const pending = ask(proxy).catch(() => {});
    await until("the only connection is in use", async () => a.seen.length === 1);
    await until("it is found ill", async () => only?.healthy === false);
    a.mode = "answers";
    await until(
      "it is found well, though the connection is still in use",
      async () => only?.healthy === true,
    );
    await a.down();
    await pending;
  });
});

describe("a forward that is stopped", () => {
  it("answers what still runs or waits at the deadline, and keeps no connection", async () => {
    await using a = await startBackend("a");
    await using proxy = await start([a], { connections: { max: 1 }, timeouts: { first_byte: "20s" } });
    a.mode = "hangs";
    const running = ask(proxy);
    await until("it arrived", async () => a.seen.length === 1);
    const waiting = ask(proxy);
    const forward = proxy.forwards.get("site");
    await until("both run", async () => forward?.deadlines.size === 2);
    await forward?.stop(50);
    expect(await Promise.all([running, waiting])).toEqual(["502", "502"]);
    await until("nothing is open", async () => forward?.upstreams[0]?.pool.open === 0);
    expect(forward?.deadlines.size).toBe(0);
    expect(a.seen).toHaveLength(1);
  });
});

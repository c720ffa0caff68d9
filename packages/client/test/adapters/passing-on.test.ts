import { request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import type { RedirectItem } from "@posthouse/protocol";
import { compileRules } from "@posthouse/rules";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { AdapterOptions, RuleSource } from "../../src/adapters/adapter.ts";
import { createFetchHandler } from "../../src/adapters/fetch.ts";
import { createNodeMiddleware } from "../../src/adapters/node.ts";
import { createClient } from "../../src/index.ts";
import { bodyOf, send } from "./requests.ts";
import { type Site, servers } from "./servers.ts";

const redirect = (target: string): RedirectItem => {
  return { id: 1, kind: "redirect", type: "BASIC", source: "/old", target, status: "FOUND" };
};
const empty: RuleSource = { ruleSet: undefined };
const working: RuleSource = { ruleSet: compileRules([redirect("/new")]) };

/** A client whose rule set cannot be asked. */
const broken: RuleSource = {
  get ruleSet(): never {
    throw new Error("out of order");
  },
};
/** A client whose rule set breaks while it is asked. */
const breaking: RuleSource = {
  ruleSet: {
    ...compileRules([]),
    match() {
      throw new Error("out of order");
    },
  },
};

async function startWith(name: string, source: RuleSource, options: AdapterOptions = {}): Promise<Site> {
  const start = servers[name];
  if (start === undefined) throw new Error(`no server ${name}`);
  const site = await start({ source, mounted: empty, ...options });
  onTestFinished(() => site.close());
  return site;
}

describe.each(Object.keys(servers))("the site behind the adapter of %s", (name) => {
  it("has every request before there are rules", async () => {
    const manager = { url: "http://127.0.0.1:9", namespace: "n", project: "p", token: "t" };
    const client = createClient({ manager, agent: { name: "embedded" } });
    onTestFinished(() => client.stop());
    await client.start();
    const { port } = await startWith(name, client);
    expect(bodyOf(await send(port, "GET /old"))).toBe("site GET");
  });

  it.each([
    ["cannot be asked", broken],
    ["break while they are asked", breaking],
  ])("has every request when the rules %s, which is reported", async (_how, source) => {
    const failures: unknown[] = [];
    const { port } = await startWith(name, source, { onError: (error) => failures.push(error) });
    expect(bodyOf(await send(port, "GET /old"))).toBe("site GET");
    expect(bodyOf(await send(port, "PUT /old"))).toBe("site PUT");
    expect(failures).toEqual([new Error("out of order"), new Error("out of order")]);
  });

  it("reads the body of a request that no rule answers, piece by piece", async () => {
    const { port } = await startWith(name, working);
    const sending = request({ port, host: "127.0.0.1", path: "/echo", method: "POST" });
    const received = new Promise<string>((resolve, reject) => {
      sending.on("error", reject).on("response", (answer) => text(answer).then(resolve, reject));
    });
    sending.setHeader("content-type", "application/octet-stream");
    const piece = "0123456789".repeat(10_000);
    for (let count = 0; count < 5; count++) {
      sending.write(piece);
      await setTimeout(5);
    }
    sending.end("end");
    expect(await received).toBe(`${piece.repeat(5)}end`);
  });
});

describe("an adapter that fails", () => {
  it("says so once when nobody listens", async () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    onTestFinished(() => warn.mockRestore());
    const answer = createFetchHandler(broken);
    expect(answer(new Request("http://h/old"))).toBeUndefined();
    expect(answer(new Request("http://h/old"))).toBeUndefined();
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining("@posthouse/client"), new Error("out of order")],
    ]);
  });

  it("goes on when the listener fails too", () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    onTestFinished(() => warn.mockRestore());
    const onError = (): never => {
      throw new Error("the log is full");
    };
    expect(createFetchHandler(broken, { onError })(new Request("http://h/old"))).toBeUndefined();
    expect(warn.mock.calls[0]?.[1]).toEqual(new Error("the log is full"));
  });
});

describe("what comes next", () => {
  const request = { method: "GET", url: "/nothing", headers: { host: "h" } };
  const response = { statusCode: 200, headersSent: false, setHeader: vi.fn(), end: vi.fn() };

  it("is called once, and its own error is its caller's", () => {
    const failures: unknown[] = [];
    const next = vi.fn(() => {
      throw new Error("of the site");
    });
    const answer = createNodeMiddleware(working, { onError: (error) => failures.push(error) });
    expect(() => answer(request, response, next)).toThrow("of the site");
    expect(next).toHaveBeenCalledOnce();
    expect(failures).toEqual([]);
  });

  it("has a response that was begun already", () => {
    const next = vi.fn();
    createNodeMiddleware(working)({ ...request, url: "/old" }, { ...response, headersSent: true }, next);
    expect(next).toHaveBeenCalledOnce();
    expect(response.end).not.toHaveBeenCalled();
  });
});

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { agentName } from "../src/agent-name.ts";
import { createBackoff } from "../src/index.ts";
import { createItemHasher } from "../src/item-hashes.ts";
import { createLineSplitter } from "../src/line-splitter.ts";
import { parseItem, parseItemLine } from "../src/snapshot.ts";
import { hashOf } from "./fake-manager.ts";
import { client, until } from "./harness.ts";

describe("the small parts", () => {
  it("delays grow to a limit, differ by chance, and begin anew after a success", () => {
    const whole = createBackoff({ firstMs: 100, maxMs: 1_000, factor: 2, jitter: 0.5 }, () => 0);
    expect([1, 2, 3, 4, 5, 6].map(() => whole.next())).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    whole.reset();
    expect(whole.next()).toBe(100);
    expect(createBackoff({ firstMs: 100, jitter: 0.5 }, () => 1).next()).toBe(50);
  });

  it("names are what a Manager takes", () => {
    expect(agentName("web-1.example.com")).toBe("web-1-example-com");
    fc.assert(fc.property(fc.string(), (name) => /^[a-zA-Z0-9_-]{1,100}$/.test(agentName(name))));
  });

  it("a line is understood as its value is, and formatted the same", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "/", '"', "\\", "\n", "\u2028", "é", "😀", "\u007f"),
      maxLength: 8,
    });
    const item = fc.record({
      id: fc.constantFrom(1, 77, 2 ** 32 - 1, 2 ** 32, 0),
      kind: fc.constantFrom("redirect", "page"),
      type: fc.constantFrom("BASIC", "REGEX_HOST", "GEO"),
      source: fc.oneof(text, fc.constant("a".repeat(601))),
      target: fc.oneof(text, fc.constant("a".repeat(2049))),
      status: fc.constantFrom("FOUND", "TEAPOT"),
    });
    const writers = [
      JSON.stringify,
      (value: unknown) => JSON.stringify(value, undefined, 1).replaceAll("\n", ""),
    ];
    fc.assert(
      fc.property(item, fc.constantFrom(...writers), (value, write) => {
        const line = write(value);
        const known = value.id >= 1 && value.id < 2 ** 32;
        expect(parseItemLine(line)).toEqual(known ? parseItem(value.id, value, line) : undefined);
      }),
      { numRuns: 2_000 },
    );
  });

  it("lines are the same wherever the bytes are cut", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "é", "😀", "\n", "\r") });
    fc.assert(
      fc.property(text, fc.array(fc.nat(20)), (whole, cuts) => {
        const bytes = Buffer.from(whole);
        const splitter = createLineSplitter();
        const lines: string[] = [];
        let at = 0;
        for (const length of [...cuts, bytes.length]) {
          lines.push(...splitter.push(bytes.subarray(at, at + length)));
          at += length;
        }
        expect([...lines, splitter.end()]).toEqual(whole.split("\n"));
      }),
    );
    expect(() => createLineSplitter(3).push(Buffer.from("abcd"))).toThrow(RangeError);
    expect(() => createLineSplitter().push(Buffer.from([0xff]))).toThrow(TypeError);
  });

  it("hashes items as one who has them all", () => {
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 200_000 }), { maxLength: 300 });
    fc.assert(
      fc.property(ids, (found) => {
        const lines = new Map(found.sort((a, b) => a - b).map((id) => [id, `line ${id}`]));
        const hasher = createItemHasher();
        for (const [id, line] of lines) hasher.add(id, line);
        expect(hasher.finish()).toMatchObject({ root: hashOf(lines), items: lines.size });
      }),
    );
  });

  it.each([
    ["MANAGER_ANSWER_TOO_LARGE", {}, "1".repeat(100_000)],
    ["MANAGER_ANSWER_UNUSABLE", { "content-encoding": "gzip" }, "no gzip"],
    ["MANAGER_ANSWER_UNUSABLE", {}, '"3"'],
  ])("%s: an answer with headers %o", async (code, headers, body) => {
    const server = createServer((_request, response) => response.writeHead(200, headers).end(body));
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { client: made, failures } = client({ url });
    await made.start();
    await until(() => failures().length > 0);
    expect(failures()[0]).toBe(code);
  });
});

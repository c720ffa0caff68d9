/** The reader of backends' answers beside Node's own, which is the oracle: what ours accepts, Node reads the same way. */
import { request } from "node:http";
import { createServer, type Socket } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ResponseHead } from "../../src/proxy/backend/response-head.ts";
import { ResponseParser } from "../../src/proxy/backend/response-parser.ts";

/** A response as it was understood. */
interface Understood {
  readonly status: number;
  readonly reason: string;
  /** Lower-case names, end-to-end only, in order. */
  readonly headers: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  readonly informational: readonly number[];
}

const maxHeadBytes = 64 * 1024;

/** Feeds the pieces to our parser; `end`: the connection ends behind them. An error's message, or what was read. */
function readOurs(method: string, pieces: readonly Buffer[], end: boolean): Understood | string {
  return feedOurs(method, pieces, end).result;
}

/** The same; `used` pieces made the response whole. */
function feedOurs(
  method: string,
  pieces: readonly Buffer[],
  end: boolean,
): { readonly result: Understood | string; readonly used: number } {
  const parser = new ResponseParser(maxHeadBytes);
  const informational: number[] = [];
  let head: ResponseHead | undefined;
  let body = "";
  let trailers: readonly string[] = [];
  let isDone = false;
  const take = (bytes: Buffer): void => {
    body += bytes.toString("latin1");
  };
  parser.expect(method, {
    onInformational: ({ status }) => void informational.push(status),
    onHead: (given) => {
      head = given;
    },
    onBody: take,
    onWhole: (given, bytes) => {
      head = given;
      take(bytes);
      isDone = true;
    },
    onEnd: (given) => {
      trailers = given;
      isDone = true;
    },
    onUpgrade: () => {
      throw new Error("upgraded");
    },
  });
  let used = 0;
  try {
    while (!isDone && used < pieces.length) parser.feed(pieces[used++] as Buffer);
    if (!isDone && end) parser.close();
  } catch (error) {
    return { result: String(error), used };
  }
  if (!isDone || head === undefined) return { result: "it is not whole", used };
  const { status, reason, headers } = head;
  const names = { headers: lowerNames(headers), trailers: lowerNames(trailers) };
  return { result: { status, reason, body, informational, ...names }, used };
}

/** The response without what stands behind it: ours leaves that alone, Node takes it for the next response. */
function withoutRest(method: string, bytes: Buffer): Buffer {
  return bytes.subarray(0, feedOurs(method, pieces(bytes, "every byte"), false).used);
}

const lowerNames = (flat: readonly string[]): string[] =>
  flat.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text));

const hopByHop = [
  "connection",
  "keep-alive",
  "transfer-encoding",
  "trailer",
  "te",
  "upgrade",
  "proxy-connection",
];
const notInTrailers = ["content-type", "set-cookie", "location", "content-length", "host", ...hopByHop];

function endToEnd(flat: readonly string[], left: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < flat.length; index += 2) {
    const name = (flat[index] ?? "").toLowerCase();
    if (!left.includes(name)) kept.push(name, flat[index + 1] ?? "");
  }
  return kept;
}

/** What Node's client makes of the bytes on a real connection. */
class Oracle {
  #bytes: Buffer = Buffer.alloc(0);
  #port = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    socket.once("data", () => socket.end(this.#bytes));
  });

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    this.#port = typeof address === "object" && address !== null ? address.port : 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  read(method: string, bytes: Buffer): Promise<Understood | string> {
    this.#bytes = bytes;
    const informational: number[] = [];
    return new Promise((resolve) => {
      const asked = request({
        port: this.#port,
        host: "127.0.0.1",
        method,
        agent: false,
        maxHeaderSize: maxHeadBytes,
      });
      asked.on("error", (error) => resolve(String(error)));
      asked.on("information", ({ statusCode }) => void informational.push(statusCode));
      asked.on("upgrade", (_, socket) => {
        socket.destroy();
        resolve("upgraded");
      });
      asked.on("response", (response) => {
        let body = "";
        response.setEncoding("latin1");
        response.on("data", (text: string) => {
          body += text;
        });
        response.on("error", (error) => resolve(String(error)));
        response.on("end", () => {
          const { statusCode = 0, statusMessage = "", rawHeaders, rawTrailers } = response;
          const left = statusCode === 204 ? [...hopByHop, "content-length"] : hopByHop;
          resolve({
            status: statusCode,
            reason: statusMessage,
            headers: endToEnd(rawHeaders, left),
            body,
            trailers: endToEnd(rawTrailers, notInTrailers),
            informational,
          });
        });
      });
      asked.end();
    });
  }
}

const oracle = new Oracle();
beforeAll(() => oracle.start());
afterAll(() => oracle.stop());

// Responses as a backend may write them.

const byteText = (from: number, to: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.integer({ min: from, max: to }).map((code) => String.fromCharCode(code)), maxLength });
const visible = byteText(0x21, 0x7e, 12);
const name = fc.oneof(
  fc.constantFrom("X-A", "x-a", "Set-Cookie", "Server", "Keep-Alive", "Content-Type", "ETag", "Link"),
  fc.string({ unit: fc.constantFrom(..."abcXYZ019!#$%&'*+-.^_`|~"), minLength: 1, maxLength: 20 }),
);
const value = fc.oneof(
  visible,
  fc
    .tuple(visible, byteText(0x20, 0x7e, 10), byteText(0x80, 0xff, 5), visible)
    .map((parts) => parts.join("").trim()),
);
const blank = fc.constantFrom("", " ", "\t", " \t ");
const fieldLine = fc
  .tuple(name, blank, value, blank)
  .map(([key, before, text, after]) => `${key}:${before}${text}${after}\r\n`);
const fieldLines = fc.array(fieldLine, { maxLength: 8 }).map((lines) => lines.join(""));
const reason = fc.constantFrom("", " ", " OK", " Not so good", " caf\xc3\xa9");
const status = fc.oneof(
  fc.constantFrom(200, 204, 304, 404, 301, 206, 205),
  fc.integer({ min: 200, max: 999 }),
);
const data = byteText(0, 0xff, 40);

const lastChunk = fc
  .tuple(fc.constantFrom("0", "00", "0;a=b"), fieldLines)
  .map(([size, trailers]) => `${size}\r\n${trailers}\r\n`);
const chunk = fc
  .tuple(data, fc.constantFrom("", ";a", ';a="b"'), fc.boolean(), fc.constantFrom("", "0", "000"))
  .filter(([text]) => text !== "")
  .map(([text, extension, upper, zeros]) => {
    const size = text.length.toString(16);
    return `${zeros}${upper ? size.toUpperCase() : size}${extension}\r\n${text}\r\n`;
  });
const chunkedBody = fc
  .tuple(fc.array(chunk, { maxLength: 5 }), lastChunk)
  .map(([chunks, last]) => chunks.join("") + last);

interface Generated {
  readonly method: string;
  readonly text: string;
}

const framed: fc.Arbitrary<[lines: string, body: string]> = fc.oneof(
  data.map((text): [string, string] => [`Content-Length: ${text.length}\r\n`, text]),
  chunkedBody.map((text): [string, string] => ["Transfer-Encoding: chunked\r\n", text]),
  chunkedBody.map((text): [string, string] => ["transfer-encoding:CHUNKED \r\n", text]),
  data.map((text): [string, string] => ["", text]),
);
const informational = fc
  .array(fc.tuple(fc.constantFrom(100, 102, 103), fieldLines), { maxLength: 3 })
  .map((all) => all.map(([code, lines]) => `HTTP/1.1 ${code} X\r\n${lines}\r\n`).join(""));
const response: fc.Arbitrary<Generated> = fc
  .record({
    method: fc.constantFrom("GET", "GET", "POST", "HEAD"),
    before: informational,
    code: status,
    why: reason,
    lines: fieldLines,
    more: fieldLines,
    body: framed,
  })
  .map(({ method, before, code, why, lines, more, body: [framing, content] }) => {
    const bodiless = method === "HEAD" || code === 204 || code === 304;
    const text = `${before}HTTP/1.1 ${code}${why}\r\n${lines}${framing}${more}\r\n${bodiless ? "" : content}`;
    return { method, text };
  });

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : at[index - 1], end));
}

const cuts = fc.oneof(fc.array(fc.nat(10_000), { maxLength: 10 }), fc.constant("every byte" as const));
const pieces = (bytes: Buffer, places: readonly number[] | "every byte"): Buffer[] =>
  places === "every byte"
    ? Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
    : cut(bytes, places);

describe("a backend's answer", () => {
  it("is read as Node reads it, wherever it is cut", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(response, cuts, async ({ method, text }, places) => {
        const bytes = latin1(text);
        expect(readOurs(method, pieces(bytes, places), true)).toEqual(await oracle.read(method, bytes));
      }),
      { numRuns: 600 },
    );
  });

  it("is read the same way whole and in pieces, and with a byte changed too", () => {
    const change = fc.tuple(
      fc.nat(10_000),
      fc.nat(255),
      fc.constantFrom("replace", "insert", "drop"),
      fc.boolean(),
    );
    fc.assert(
      fc.property(response, cuts, change, ({ method, text }, places, [at, code, how, changed]) => {
        const place = at % text.length;
        const byte = how === "drop" ? "" : String.fromCharCode(code);
        const bytes = latin1(
          changed ? text.slice(0, place) + byte + text.slice(how === "insert" ? place : place + 1) : text,
        );
        const [whole, inPieces] = [[bytes], pieces(bytes, places)].map((all) => readOurs(method, all, true));
        // Which of two faults is noticed first may differ.
        if (typeof whole === "string") expect(typeof inPieces).toBe("string");
        else expect(inPieces).toEqual(whole);
      }),
      { numRuns: 5000 },
    );
  });

  it("that is accepted after some bytes changed, or a piece came twice, is accepted by Node, with the same meaning", {
    timeout: 120_000,
  }, async () => {
    let accepted = 0;
    const byte = fc.oneof(
      fc.constantFrom(
        "\r",
        "\n",
        "\r\n",
        " ",
        "\t",
        ":",
        ",",
        "\0",
        "0",
        "9",
        "a",
        ";",
        "\x0b",
        "\x7f",
        "\xff",
      ),
      fc.nat(255).map((code) => String.fromCharCode(code)),
    );
    const how = fc.constantFrom("replace", "insert", "drop", "repeat");
    const change = fc.tuple(fc.nat(10_000), byte, how, fc.integer({ min: 1, max: 40 }));
    await fc.assert(
      fc.asyncProperty(
        response,
        fc.array(change, { minLength: 1, maxLength: 3 }),
        async ({ method, text }, changes) => {
          let mutant = text;
          for (const [at, by, how, length] of changes) {
            const place = at % mutant.length;
            const [before, after] = [mutant.slice(0, place), mutant.slice(place)];
            if (how === "repeat") mutant = before + after.slice(0, length) + after;
            else mutant = before + (how === "drop" ? "" : by) + after.slice(how === "insert" ? 0 : 1);
          }
          const bytes = latin1(mutant);
          const ours = readOurs(method, [bytes], true);
          if (typeof ours === "string") return;
          accepted++;
          const theirs = await oracle.read(method, withoutRest(method, bytes));
          // The same length twice may be taken for one (RFC 9110, 8.6).
          if (String(theirs).includes("Duplicate Content-Length"))
            expect(ours.headers.filter((text) => text === "content-length").length).toBeLessThan(2);
          else expect(ours).toEqual(theirs);
        },
      ),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  it("of any bytes ends the reading or waits for more, and nothing else is thrown", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 304 \r\n",
        "HTTP/1.1 100 C\r\n\r\n",
        "\r\n",
        "\r\n\r\n",
      ),
      fc.constantFrom(
        "Content-Length: ",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "5",
        "0",
        ";a\r\n",
      ),
      byteText(0, 0xff, 8),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), cuts, fc.boolean(), (parts, places, end) => {
        const result = readOurs("GET", pieces(latin1(parts.join("")), places), end);
        if (typeof result === "string") expect(result).toMatch(/is not HTTP\/1|is not whole|upgraded/);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ["a head without end", "HTTP/1.1 200 OK\r\n", "X: 1\r\n"],
    ["a status line without end", "HTTP/1.1 200 ", "x"],
    ["a chunk's size without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0"],
    ["an extension without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "a"],
    ["trailers without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: 1\r\n"],
    ["informational answers without end", "", "HTTP/1.1 102 X\r\n\r\n"],
  ])("is given up when it brings %s", (_, start, more) => {
    const filler = latin1(more.repeat(Math.ceil(1024 / more.length)));
    const many = Array.from({ length: 200 }, () => filler);
    expect(readOurs("GET", [latin1(start), ...many], false)).toMatch(/is not HTTP\/1/);
  });

  it("of many megabytes is handed on, not kept", () => {
    let most = 0;
    let total = 0;
    const parser = new ResponseParser(maxHeadBytes);
    const data = Buffer.alloc(64 * 1024, "x");
    parser.expect("GET", {
      onInformational: () => {},
      onHead: () => {},
      onBody: (bytes) => {
        most = Math.max(most, bytes.length);
        total += bytes.length;
      },
      onWhole: () => {},
      onEnd: () => {},
      onUpgrade: () => {},
    });
    parser.feed(latin1("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (let round = 0; round < 1000; round++) {
      parser.feed(latin1("10000\r\n"));
      parser.feed(data);
      parser.feed(latin1("\r\n"));
    }
    expect([most, total]).toEqual([64 * 1024, 1000 * 64 * 1024]);
  });
});

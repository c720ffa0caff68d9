/** Large answers to many clients at once, some of which read slowly or go away: every one gets its own bytes. */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { startProxyParts } from "./parts.ts";

const bytes = 3_000_000;
const clients = 24;

/** Other bytes for each number, without a period that memory could have. */
function bodyOf(number: number): Buffer {
  const body = Buffer.alloc(bytes);
  for (let at = 0, state = number + 1; at < bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    body.writeUInt32LE(state, at);
  }
  return body;
}

function read(port: number, number: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(pieces)));
    socket.on("data", async (piece: Buffer) => {
      pieces.push(Buffer.from(piece));
      if (number % 4 === 1 && pieces.length === 3) socket.destroy();
      if (number % 4 !== 2) return;
      socket.pause();
      await sleep(2);
      socket.resume();
    });
    socket.write(`GET /${number} HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n`);
  });
}

const digest = (body: Buffer): string => createHash("sha256").update(body).digest("hex");

it("every client gets its own bytes", { timeout: 60_000 }, async () => {
  const backend = createServer((request, response) => {
    const number = Number(request.url?.slice(1));
    response.writeHead(200, { "content-length": bytes });
    response.end(bodyOf(number));
  });
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  await using proxy = await startProxyParts({
    site: `http://127.0.0.1:${(backend.address() as AddressInfo).port}`,
  });
  try {
    const answers = await Promise.all(
      Array.from({ length: clients }, (_, number) => read(proxy.port, number)),
    );
    for (const [number, answer] of answers.entries()) {
      const body = answer.subarray(answer.indexOf("\r\n\r\n") + 4);
      const expected = bodyOf(number);
      if (number % 4 === 1)
        expect(digest(body), `client ${number}`).toBe(digest(expected.subarray(0, body.length)));
      else expect([body.length, digest(body)], `client ${number}`).toEqual([bytes, digest(expected)]);
    }
  } finally {
    backend.closeAllConnections();
    backend.close();
  }
});

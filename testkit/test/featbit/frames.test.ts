import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { frameHead, ReadCounter } from "../../src/featbit/frames.ts";
import { clientFrame, SwarmSocket } from "../../src/featbit/swarm-socket.ts";

const lengths = fc.oneof(
  fc.nat(130),
  fc.constantFrom(125, 126, 2048, 2049, 8192, 8193, 65_535, 65_536, 70_000),
  fc.nat(70_000),
);

/** Cuts bytes at these shares of their length. */
function cut(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const places = [0, ...shares.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b)];
  return places.map((at, i) => bytes.subarray(at, places[i + 1] ?? bytes.length));
}
const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

test("reads are counted alike, however the bytes arrive", () => {
  const frame = fc.record({ length: fc.nat(65_535), isLast: fc.boolean(), isPing: fc.boolean() });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), shares, (frames, places) => {
      const counter = new ReadCounter();
      const bytes: Buffer[] = [];
      const expected: number[] = [];
      let reads = 0;
      let opcode = 1;
      for (const { length, isLast, isPing } of frames) {
        if (isPing) bytes.push(clientFrame(Buffer.alloc(length % 126), 9));
        const made = clientFrame(Buffer.alloc(length), opcode);
        if (!isLast) made[0] = opcode;
        bytes.push(made);
        reads += Math.max(1, Math.ceil(length / 2048));
        opcode = isLast ? 1 : 0;
        if (!isLast) continue;
        expected.push(reads);
        reads = 0;
      }
      for (const chunk of cut(Buffer.concat(bytes), places)) counter.take(chunk);
      expect(expected.map(() => counter.next())).toEqual(expected);
      expect(counter.next()).toBe(0);
    }),
  );
});

test("the swarm reads every message whole, however the bytes arrive", async () => {
  await using server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await fc.assert(
    fc.asyncProperty(fc.array(lengths, { maxLength: 6 }), shares, async (sizes, places) => {
      const connected = once(server, "connection");
      const got: string[] = [];
      const messages = sizes.map((size, i) => `${i}`.padEnd(size, String.fromCharCode(97 + i)));
      const closed = new Promise<number>((resolve) => {
        new SwarmSocket(
          { host: "127.0.0.1", port, path: "/" },
          { onOpen() {}, onMessage: (body) => got.push(body.toString()), onClose: resolve },
        );
      });
      const [socket] = (await connected) as [Socket];
      socket.on("error", () => {});
      await once(socket, "data");
      const frames = messages.flatMap((text) => [frameHead(text.length), Buffer.from(text)]);
      const close = Buffer.from([0x88, 2, 0x03, 0xe9]);
      const head = Buffer.from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
      for (const chunk of cut(Buffer.concat([head, ...frames, close]), places)) {
        socket.write(chunk);
        await new Promise(setImmediate);
      }
      expect(await closed).toBe(1001);
      expect(got).toEqual(messages);
      socket.destroy();
    }),
    { numRuns: 60 },
  );
});

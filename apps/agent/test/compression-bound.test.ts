/** More answers at once than may be compressed: the rest is sent as it is, and nothing waits. */
import { get } from "node:http";
import { gunzipSync } from "node:zlib";
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { expect, it } from "vitest";
import { startProxy } from "./proxy/harness.ts";

const half = "a line of text that is the same in every answer\n".repeat(50);
const chunk = `${half.length.toString(16)}\r\n${half}\r\n`;
const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";

interface Answer {
  readonly encoding: string;
  readonly text: string;
}

function ask(port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { "Accept-Encoding": "gzip" };
    get({ port, host: "127.0.0.1", agent: false, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (data) => chunks.push(data)).on("error", reject);
      response.on("end", () => {
        const encoding = response.headers["content-encoding"] ?? "none";
        const body = Buffer.concat(chunks);
        resolve({ encoding, text: (encoding === "gzip" ? gunzipSync(body) : body).toString() });
      });
    }).on("error", reject);
  });
}

it("128 are compressed at once, and all arrive whole", async () => {
  await using backend = await startRawBackend(({ socket }) => void socket.write(head + chunk));
  await using proxy = await startProxy({
    forward: { upstreams: [`http://127.0.0.1:${backend.port}`], connections: { max: 500 } },
    host: { compress: true },
  });
  const metric = async (name: string): Promise<number> =>
    Number(new RegExp(`^posthouse_compression_${name} (\\d+)$`, "m").exec(await proxy.metrics())?.[1] ?? 0);
  const counted = (encoding: string): Promise<number> => metric(`answers_total\\{encoding="${encoding}"\\}`);

  const answers = Array.from({ length: 200 }, () => ask(proxy.port));
  await until("all answers begun", async () => (await counted("gzip")) + (await counted("none")) === 200);
  expect([await metric("running"), await counted("gzip"), await counted("none")]).toEqual([128, 128, 72]);
  for (const { socket } of backend.connections) socket.end(`${chunk}0\r\n\r\n`);
  const all = await Promise.all(answers);
  expect(all.every(({ text }) => text === half + half)).toBe(true);
  expect(all.filter(({ encoding }) => encoding === "gzip")).toHaveLength(128);
  expect(await metric("running")).toBe(0);
  const later = ask(proxy.port);
  await until("one more", async () => backend.connections[200]?.received.endsWith("\r\n\r\n") === true);
  backend.connections[200]?.socket.end(`${chunk}0\r\n\r\n`);
  expect((await later).encoding).toBe("gzip");
});

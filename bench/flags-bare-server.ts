/** node:http that reads a request and sends a prepared answer, nothing else. `flags-bare-server.ts PORT ANSWERS` */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

interface Prepared {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

const [port, file = ""] = process.argv.slice(2);
const answers = new Map(
  Object.entries(JSON.parse(readFileSync(file, "utf8")) as Record<string, Prepared>).map(
    ([key, { status, headers, body }]) => {
      const bytes = Buffer.from(body);
      const length = status === 304 ? [] : ["Content-Length", String(bytes.length)];
      return [key, { status, headers: [...headers, ...length], bytes }] as const;
    },
  ),
);

createServer({ optimizeEmptyRequests: true }, (request, response) => {
  const known = request.headers["if-none-match"] !== undefined;
  const answer = answers.get(`${request.url} ${known}`);
  const send = (): void => {
    if (answer === undefined) response.writeHead(404, ["Content-Length", "0"]).end();
    else response.writeHead(answer.status, [...answer.headers]).end(answer.bytes);
  };
  // Empty requests, when optimized, never end.
  if (request.method === "GET") send();
  else request.resume().on("end", send);
}).listen(Number(port), "127.0.0.1");

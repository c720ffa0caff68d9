/** node:http and a Map, nothing else: what a redirect costs before anything of ours. `bare-server.ts PORT FILE` */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";

const [port, file = ""] = process.argv.slice(2);
const targets = new Map(
  readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.split("\t") as [string, string]),
);

createServer({ optimizeEmptyRequests: true }, (request, response) => {
  const target = targets.get(`${hostOf(request)}${request.url}`);
  if (target === undefined) {
    response.writeHead(404, ["Content-Length", "0"]).end();
    return;
  }
  const body = `<a href="${target}">Moved Permanently</a>.\n\n`;
  response
    .writeHead(301, [
      "Location",
      target,
      "Content-Type",
      "text/html; charset=utf-8",
      "Content-Length",
      String(Buffer.byteLength(body)),
    ])
    .end(body);
}).listen(Number(port), "127.0.0.1");

function hostOf({ rawHeaders }: IncomingMessage): string {
  const index = rawHeaders.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === "host");
  return rawHeaders[index + 1] ?? "";
}

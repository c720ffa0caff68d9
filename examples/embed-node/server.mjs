// A site of node:http whose redirects and pages come from a Manager.
import { createServer } from "node:http";
import { createClient } from "@posthouse/client";
import { createFileStore, createNodeMiddleware } from "@posthouse/client/node";

const client = createClient({
  manager: {
    url: process.env.MANAGER_URL ?? "http://127.0.0.1:8080",
    namespace: "demo",
    project: "site",
    token: process.env.POSTHOUSE_AGENT_TOKEN ?? "",
  },
  agent: { name: "embed-node" },
  store: createFileStore(".posthouse/embed-node"),
});
await client.start();

const redirects = createNodeMiddleware(client);
const server = createServer((request, response) => {
  redirects(request, response, () => response.end("the site\n"));
});
server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
process.once("SIGTERM", () => {
  server.close();
  client.stop();
});

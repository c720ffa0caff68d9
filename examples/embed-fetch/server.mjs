// A site that takes a Request and gives a Response; its redirects and pages come from a Manager.
// Here @hono/node-server carries it; other servers take such a function too.
import { serve } from "@hono/node-server";
import { createClient } from "@posthouse/client";
import { createFetchHandler } from "@posthouse/client/fetch";
import { createFileStore } from "@posthouse/client/node";

const client = createClient({
  manager: {
    url: process.env.MANAGER_URL ?? "http://127.0.0.1:8080",
    namespace: "demo",
    project: "site",
    token: process.env.POSTHOUSE_AGENT_TOKEN ?? "",
  },
  agent: { name: "embed-fetch" },
  store: createFileStore(".posthouse/embed-fetch"),
});
await client.start();

const redirects = createFetchHandler(client);
const handle = (request) => redirects(request) ?? new Response("the site\n");

const options = { fetch: handle, port: Number(process.env.PORT ?? 3000), hostname: "127.0.0.1" };
const server = serve(options, ({ port }) => console.log(`http://127.0.0.1:${port}`));
process.once("SIGTERM", () => {
  server.close();
  client.stop();
});

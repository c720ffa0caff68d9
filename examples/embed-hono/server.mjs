// A Hono site whose redirects and pages come from a Manager.
import { serve } from "@hono/node-server";
import { createClient } from "@posthouse/client";
import { createHonoMiddleware } from "@posthouse/client/hono";
import { createFileStore } from "@posthouse/client/node";
import { Hono } from "hono";

const client = createClient({
  manager: {
    url: process.env.MANAGER_URL ?? "http://127.0.0.1:8080",
    namespace: "demo",
    project: "site",
    token: process.env.POSTHOUSE_AGENT_TOKEN ?? "",
  },
  agent: { name: "embed-hono" },
  store: createFileStore(".posthouse/embed-hono"),
});
await client.start();

const app = new Hono();
app.use(createHonoMiddleware(client));
app.get("*", (context) => context.text("the site\n"));

const options = { fetch: app.fetch, port: Number(process.env.PORT ?? 3000), hostname: "127.0.0.1" };
const server = serve(options, ({ port }) => console.log(`http://127.0.0.1:${port}`));
process.once("SIGTERM", () => {
  server.close();
  client.stop();
});

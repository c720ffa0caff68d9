// An Express site whose redirects and pages come from a Manager.
import { createClient } from "@posthouse/client";
import { createExpressMiddleware } from "@posthouse/client/express";
import { createFileStore } from "@posthouse/client/node";
import express from "express";

const client = createClient({
  manager: {
    url: process.env.MANAGER_URL ?? "http://127.0.0.1:8080",
    namespace: "demo",
    project: "site",
    token: process.env.POSTHOUSE_AGENT_TOKEN ?? "",
  },
  agent: { name: "embed-express" },
  store: createFileStore(".posthouse/embed-express"),
});
await client.start();

const app = express();
app.use(createExpressMiddleware(client));
app.use((_request, response) => response.send("the site\n"));

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
process.once("SIGTERM", () => {
  server.close();
  client.stop();
});

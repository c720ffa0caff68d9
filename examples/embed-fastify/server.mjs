// A Fastify site whose redirects and pages come from a Manager.
import { createClient } from "@posthouse/client";
import { createFastifyHook } from "@posthouse/client/fastify";
import { createFileStore } from "@posthouse/client/node";
import fastify from "fastify";

const client = createClient({
  manager: {
    url: process.env.MANAGER_URL ?? "http://127.0.0.1:8080",
    namespace: "demo",
    project: "site",
    token: process.env.POSTHOUSE_AGENT_TOKEN ?? "",
  },
  agent: { name: "embed-fastify" },
  store: createFileStore(".posthouse/embed-fastify"),
});
await client.start();

const app = fastify();
app.addHook("onRequest", createFastifyHook(client));
app.addHook("onClose", () => client.stop());
app.get("/*", () => "the site\n");

console.log(await app.listen({ port: Number(process.env.PORT ?? 3000), host: "127.0.0.1" }));
process.once("SIGTERM", () => app.close());

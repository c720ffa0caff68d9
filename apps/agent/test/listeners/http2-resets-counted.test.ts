/** A connection that is ended for its resets counts once, however many requests it had open. */
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { expect, it } from "vitest";
import { startProxy } from "../proxy/harness.ts";
import { makeTlsFolder, noOpenssl, session2 } from "./harness.ts";

it.skipIf(noOpenssl !== undefined)("one connection with sixty open requests", async () => {
  await using files = await makeTlsFolder();
  await using backend = await startRawBackend(() => {});
  await using proxy = await startProxy({
    forward: `http://127.0.0.1:${backend.port}`,
    site: {
      limits: { http2_resets: 1 },
      tls: { certificates: [files.authority.issue({ file: "a", names: ["DNS:a.example"] })] },
    },
  });
  const session = session2(proxy.port);
  const closed = new Promise((resolve) => session.once("close", resolve));
  const streams = Array.from({ length: 60 }, () => session.request({ ":path": "/", ":authority": "a" }));
  for (const stream of streams) stream.on("error", () => {});
  await until("all are with the backend", async () => backend.connections.length === 60);
  for (const stream of streams) stream.close(8);
  await closed;
  await until("they have ended", async () => /client_aborts_total\{[^}]*\} 60\n/.test(await proxy.metrics()));
  expect(await proxy.metrics()).toMatch(/refused_total\{listener="site[^}]*reason="resets"\} 1\n/);
});

/** `drain.stop`, as the configuration has it after a reload, is how long a stop waits for what runs. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPosthouse } from "@posthouse/testkit/posthouse-process";
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { expect, it } from "vitest";

it("ends a download that outlasts it", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-stop-"));
  const file = join(folder, "posthouse.yaml");
  await using backend = await startRawBackend(({ socket }) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab");
  });
  const write = (stop: string): Promise<void> =>
    writeFile(
      file,
      `state: ./state
drain: { stop: ${stop} }
sites:
  - listen: unix:${join(folder, "site.sock")}
    hosts: [{ match: ["*"], forward: "http://127.0.0.1:${backend.port}" }]
`,
    );
  await write("24h");
  const agent = startPosthouse(["agent", "-c", file]);
  try {
    await agent.printed(/"msg":"agent started"/);
    await write("500ms");
    agent.signal("SIGHUP");
    await agent.printed(/"msg":"configuration reloaded"/);
    const client = connect(join(folder, "site.sock"));
    let text = "";
    client
      .on("error", () => {})
      .on("data", (chunk) => {
        text += chunk.toString();
      });
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await until("the first part", async () => text.endsWith("ab"));
    agent.signal("SIGTERM");
    expect(await agent.exited).toBe(0);
  } finally {
    agent.signal("SIGKILL");
    await agent.exited;
    await rm(folder, { recursive: true, force: true });
  }
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPosthouse } from "@posthouse/testkit/posthouse-process";
import { expect, it } from "vitest";

it("changes the log's level and format when the agent's configuration is read again", async () => {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-log-"));
  const file = join(folder, "posthouse.yaml");
  const write = (log: string): Promise<void> => writeFile(file, `state: ./state\nlog: ${log}\n`);
  await write("{ level: info, format: json }");
  const agent = startPosthouse(["agent", "-c", file]);
  try {
    await agent.printed(/"msg":"agent started"/);
    await write("{ level: error, format: json }");
    await agent.printed(/"msg":"configuration reloaded"/);
    await write("{ level: debug, format: pretty }");
    // Silent about the change that ends the silence; the next word comes in the new format.
    await expect
      .poll(
        () => {
          agent.signal("SIGHUP");
          return agent.output();
        },
        { timeout: 20_000, interval: 500 },
      )
      .toMatch(/info {2}SIGHUP: reading the configuration again/);
    expect(agent.output().match(/configuration reloaded"/g)).toHaveLength(1);
  } finally {
    agent.signal("SIGTERM");
    await agent.exited;
    await rm(folder, { recursive: true, force: true });
  }
});

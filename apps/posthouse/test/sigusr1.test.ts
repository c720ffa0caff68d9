/** SIGUSR1 opens Node's debugger by default, to whoever may connect to this machine's loopback. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPosthouse } from "@posthouse/testkit/posthouse-process";
import { expect, it } from "vitest";

it("SIGUSR1 opens no debugger and ends nothing, without an access log and after one was taken away", async () => {
  const folder = mkdtempSync(join(tmpdir(), "posthouse-sigusr1-"));
  const file = join(folder, "agent.yaml");
  const write = (site: object): void =>
    writeFileSync(
      file,
      JSON.stringify({
        state: join(folder, "state"),
        admin: { listen: "127.0.0.1:0" },
        log: { format: "json" },
        sites: [{ listen: "127.0.0.1:0", hosts: [{}], ...site }],
      }),
    );
  write({});
  const agent = startPosthouse(["agent", "-c", file]);
  const answersStill = async (): Promise<void> => {
    const [, admin] = await agent.printed(/"admin":"([^"]+)"/);
    for (let times = 0; times < 20; times++)
      expect((await fetch(`http://${admin}/health/live`)).status).toBe(200);
  };
  try {
    await agent.printed(/agent started/);
    agent.signal("SIGUSR1");
    await answersStill();
    write({ access_log: { path: join(folder, "access.log") } });
    agent.signal("SIGHUP");
    await agent.printed(/configuration reloaded/);
    write({});
    agent.signal("SIGHUP");
    await agent.printed(/configuration reloaded[\s\S]*configuration reloaded/);
    agent.signal("SIGUSR1");
    await answersStill();
    expect(agent.output()).not.toMatch(/debugger/i);
  } finally {
    agent.signal("SIGTERM");
    expect(await agent.exited).toBe(0);
    rmSync(folder, { recursive: true, force: true });
  }
});

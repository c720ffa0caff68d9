import { mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createLog } from "@posthouse/service";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { fileFingerprint, watchConfig } from "../src/index.ts";

const log = createLog({ format: "json", level: "silent" });
let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "posthouse-watch-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function watching(
  path: string,
  onChange: () => Promise<void>,
  test: () => Promise<void>,
): Promise<void> {
  const watch = watchConfig(path, { log, onChange, pollMs: 100 });
  await watch.start();
  try {
    await test();
  } finally {
    await watch.stop(1000);
  }
}

const calls = (onChange: ReturnType<typeof vi.fn>, count: number): Promise<void> =>
  vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(count), 10_000);

describe("watching the configuration", () => {
  it("notices what changed after it was read and before the watch began", async () => {
    const path = join(directory, "early.yaml");
    await writeFile(path, "a");
    const seen = await fileFingerprint(path);
    await writeFile(path, "ab");
    const onChange = vi.fn(async () => {});
    const watch = watchConfig(path, { log, onChange, seen });
    await watch.start();
    await calls(onChange, 1);
    await watch.stop(1000);
  });

  it("notices a file written in place, replaced, and missing for a moment", async () => {
    const path = join(directory, "a.yaml");
    await writeFile(path, "a");
    const onChange = vi.fn(async () => {});
    await watching(path, onChange, async () => {
      await writeFile(path, "ab");
      await calls(onChange, 1);
      await writeFile(`${path}.new`, "abc");
      await rename(`${path}.new`, path);
      await calls(onChange, 2);
      await rm(path);
      await sleep(300);
      await writeFile(path, "abcd");
      await calls(onChange, 3);
    });
  });

  it("notices a link that is turned, as container mounts do it", async () => {
    const [one, two, path] = ["1", "2", "b.yaml"].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(one, "1");
    await writeFile(two, "2");
    await symlink(one, path);
    const onChange = vi.fn(async () => {});
    await watching(path, onChange, async () => {
      await symlink(two, `${path}.new`);
      await rename(`${path}.new`, path);
      await calls(onChange, 1);
    });
  });

  it("goes on after a change that failed, and on SIGHUP without one", async () => {
    const path = join(directory, "c.yaml");
    await writeFile(path, "a");
    const onChange = vi.fn(async () => {
      throw new Error("bad configuration");
    });
    await watching(path, onChange, async () => {
      process.kill(process.pid, "SIGHUP");
      await calls(onChange, 1);
      await writeFile(path, "ab");
      await calls(onChange, 2);
    });
  });

  it("takes a SIGHUP that comes before it began", async () => {
    const path = join(directory, "before.yaml");
    await writeFile(path, "a");
    const onChange = vi.fn(async () => {});
    const watch = watchConfig(path, { log, onChange });
    process.kill(process.pid, "SIGHUP");
    await sleep(50);
    expect(onChange).not.toHaveBeenCalled();
    await watch.start();
    await calls(onChange, 1);
    await watch.stop(1000);
  });

  it("never runs two changes at once, and none is forgotten", async () => {
    const path = join(directory, "d.yaml");
    await writeFile(path, "a");
    let running = 0;
    let most = 0;
    const onChange = vi.fn(async () => {
      most = Math.max(most, ++running);
      await sleep(200);
      running--;
    });
    await watching(path, onChange, async () => {
      process.kill(process.pid, "SIGHUP");
      await calls(onChange, 1);
      process.kill(process.pid, "SIGHUP");
      process.kill(process.pid, "SIGHUP");
      await calls(onChange, 2);
    });
    expect(most).toBe(1);
  });
});

describeLifecycle({
  name: "the configuration watch",
  create: () => ({ part: watchConfig(join(directory, "none.yaml"), { log, onChange: async () => {} }) }),
});

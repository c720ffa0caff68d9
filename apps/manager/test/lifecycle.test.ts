import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { describe, expect, it } from "vitest";
import { createManager } from "../src/index.ts";
import { configFor, silentLog } from "./manager-harness.ts";

async function inDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "manager-"));
  try {
    return await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describeLifecycle({
  name: "the Manager",
  async create() {
    const directory = await mkdtemp(join(tmpdir(), "manager-"));
    const part = createManager(configFor(join(directory, "posthouse.db")), { log: silentLog });
    return { part, cleanUp: () => rm(directory, { recursive: true, force: true }) };
  },
  async createFailing() {
    const directory = await mkdtemp(join(tmpdir(), "manager-"));
    const part = createManager(configFor(join(directory, "later", "posthouse.db")), { log: silentLog });
    return {
      part,
      cleanUp: () => rm(directory, { recursive: true, force: true }),
      repair: async () => void (await mkdir(join(directory, "later"))),
    };
  },
});

describe("a Manager that cannot start", () => {
  it("says that its folder is missing", () =>
    inDirectory(async (directory) => {
      const manager = createManager(configFor(join(directory, "none", "p.db")), { log: silentLog });
      await expect(manager.start()).rejects.toMatchObject({ code: "DATABASE_CANNOT_OPEN" });
      await manager.stop(1_000);
    }));

  it("says that another Manager has the database", () =>
    inDirectory(async (directory) => {
      const config = configFor(join(directory, "p.db"));
      const first = createManager(config, { log: silentLog });
      await first.start();
      const second = createManager(config, { log: silentLog });
      await expect(second.start()).rejects.toMatchObject({ code: "DATABASE_IN_USE" });
      await first.stop(1_000);
      await second.start();
      await second.stop(1_000);
    }));

  it("says that the file is no database, and leaves it alone", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "p.db");
      await writeFile(path, "this is not a database at all, but long enough to be read as one".repeat(20));
      const manager = createManager(configFor(path), { log: silentLog });
      await expect(manager.start()).rejects.toMatchObject({ code: "DATABASE_DAMAGED" });
    }));

  it("says that a newer version wrote the database", () =>
    inDirectory(async (directory) => {
      const config = configFor(join(directory, "p.db"));
      const manager = createManager(config, { log: silentLog });
      await manager.start();
      await manager.stop(1_000);
      const database = new DatabaseSync(join(directory, "p.db"));
      database.exec("insert into kysely_migration (name, timestamp) values ('9999-later', '')");
      database.close();
      const older = createManager(config, { log: silentLog });
      await expect(older.start()).rejects.toMatchObject({ code: "DATABASE_NEWER" });
    }));

  it("says that its port is taken, and lets the database go", () =>
    inDirectory(async (directory) => {
      const server = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      const { port } = server.address() as { port: number };
      const config = configFor(join(directory, "p.db"));
      const taken = createManager({ ...config, listen: { host: "127.0.0.1", port } }, { log: silentLog });
      await expect(taken.start()).rejects.toMatchObject({ code: "PORT_IN_USE" });
      const manager = createManager(config, { log: silentLog });
      await manager.start();
      await manager.stop(1_000);
      await new Promise((resolve) => server.close(resolve));
    }));
});

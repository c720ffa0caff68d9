import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { makeFlags } from "@posthouse/testkit/featbit/generate";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { flagSnapshotPath } from "../../src/replica/featbit/snapshot-file.ts";
import { Bench, backupOf, makeSource, type RunningSource } from "./harness.ts";

let directory: string;
let file: string;
let running: RunningSource | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "posthouse-offline-"));
  file = join(directory, "dump.json");
});
afterEach(async () => {
  await running?.source.stop(2000);
  running = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function start(config: Readonly<Record<string, unknown>> = {}): Promise<RunningSource> {
  const started = makeSource({ directory, config: { mode: "offline", file, ...config } });
  running = started;
  await started.source.start();
  return started;
}

const [environment] = exampleDump().items;
const envId = environment?.envId ?? "";
const configured = {
  secrets: {
    [envId.toUpperCase()]: [
      { key: "A".repeat(44), type: "server", project: "shop", env: "prod" },
      { key: "B".repeat(44), type: "client", project: "shop", env: "prod" },
    ],
  },
};

const versionOne = () => [{ envId, flags: environment?.featureFlags, segments: environment?.segments }];

function makeDatabase(path: string, mode: "DELETE" | "WAL" = "DELETE"): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode=${mode}`);
  database.exec(
    "CREATE TABLE StoreItems (Id TEXT NOT NULL, EnvId TEXT NOT NULL, Type TEXT NOT NULL, Timestamp INTEGER NOT NULL, JsonBytes BLOB NOT NULL)",
  );
  const insert = database.prepare("INSERT INTO StoreItems VALUES (?, ?, ?, ?, ?)");
  const add = (type: string, item: { id: string; updatedAt: string }) =>
    insert.run(
      item.id,
      envId.toUpperCase(),
      type,
      Date.parse(item.updatedAt),
      Buffer.from(JSON.stringify(item)),
    );
  for (const flag of environment?.featureFlags ?? []) add("flag", flag);
  for (const segment of environment?.segments ?? []) add("segment", segment);
  database.close();
}

describe("a dump in a file", () => {
  it("is served, and again when it changes", async () => {
    await writeFile(file, JSON.stringify(exampleDump()));
    const { store, source } = await start();
    expect(backupOf(store)).toEqual(exampleDump());
    expect(store).toMatchObject({ isAuthoritative: true, origin: "person" });
    const changed = exampleDump() as unknown as { items: { featureFlags: unknown[] }[] };
    changed.items[0]?.featureFlags.pop();
    await writeFile(`${file}.new`, JSON.stringify(changed));
    await rename(`${file}.new`, file);
    await vi.waitFor(() => expect(backupOf(store)).toEqual(changed), 5000);
    expect(source.status.file).toMatchObject({ loads: 2, withoutSecrets: [] });
  });

  it("may come later, and may go", async () => {
    const { store, source } = await start();
    expect(source.status).toMatchObject({
      isPopulated: false,
      file: { lastError: { code: "FLAGS_FILE_MISSING" } },
    });
    await writeFile(file, JSON.stringify(exampleDump()));
    await vi.waitFor(() => expect(store.isPopulated).toBe(true), 5000);
    await vi.waitFor(() => expect(source.status.file?.lastError).toBeUndefined());
    await rm(file);
    await vi.waitFor(
      () => expect(source.status.file?.lastError).toMatchObject({ code: "FLAGS_FILE_MISSING" }),
      5000,
    );
    expect(backupOf(store)).toEqual(exampleDump());
  });

  it.each([
    ["no JSON", '{"items": [1,', "the document: it is not JSON"],
    ["no dump", "7", "the document"],
    ["no items", '{"eventType":"rp_full"}', "items"],
    ["a flag without id", spoil("featureFlags", 1, "id"), "items[0].featureFlags[1].id"],
    ["a segment without time", spoil("segments", 0, "updatedAt"), "items[0].segments[0].updatedAt"],
    [
      "a key of another length",
      JSON.stringify(exampleDump()).replace(/"value":"Zm/, '"value":"'),
      "items[0].secrets[1].value",
    ],
    ["v1 without envId", JSON.stringify([{ flags: [], segments: [] }]), "[0].envId"],
    ["a database of something else", "SQLite format 3\0 and rubbish", "file is not a database"],
    ["half a copy", "\x1f\x8b\b", ""],
  ])("that is refused, %s: told with its place, and nothing changes", async (_, text, place) => {
    await writeFile(file, JSON.stringify(exampleDump()));
    const { store, source } = await start();
    await writeFile(file, Buffer.from(text, text.startsWith("\x1f") ? "latin1" : "utf8"));
    await vi.waitFor(
      () =>
        expect(source.status.file?.lastError).toMatchObject({
          code: "FLAGS_FILE_UNUSABLE",
          message: expect.stringContaining(place),
        }),
      5000,
    );
    expect(backupOf(store)).toEqual(exampleDump());
  });

  it("with a flag that cannot be evaluated is served without it", async () => {
    const dump = exampleDump() as unknown as { items: { featureFlags: Record<string, unknown>[] }[] };
    Object.assign(dump.items[0]?.featureFlags[0] ?? {}, { variations: 7 });
    await writeFile(file, JSON.stringify(dump));
    const { store } = await start();
    expect(store.problems).toMatchObject([
      { code: "FLAG_INVALID", path: "items[0].featureFlags[0].variations" },
    ]);
    expect(backupOf(store).items[0]?.featureFlags).toHaveLength(1);
  });

  it("of v1 gets its keys from the configuration", async () => {
    await writeFile(file, JSON.stringify(versionOne()));
    const { store } = await start(configured);
    expect(backupOf(store).items[0]).toMatchObject({
      featureFlags: environment?.featureFlags,
      segments: environment?.segments,
    });
    expect(store.findSecret("B".repeat(44))).toMatchObject({
      type: "client",
      projectKey: "shop",
      envKey: "prod",
    });
  });

  it("of v1 without keys names the environments that nobody can reach", async () => {
    await writeFile(file, JSON.stringify(versionOne()));
    const { source, entries } = await start();
    expect(source.status.file?.withoutSecrets).toEqual([envId]);
    expect(entries).toContainEqual(expect.objectContaining({ level: "warn", environments: [envId] }));
  });

  it.each(["DELETE", "WAL"] as const)("may be the database of v1, journal mode %s", async (mode) => {
    file = join(directory, "featbit.db");
    makeDatabase(file, mode);
    const { store } = await start(configured);
    expect(backupOf(store).items[0]).toMatchObject({
      envId,
      featureFlags: environment?.featureFlags,
      segments: environment?.segments,
    });
  });

  it("may be the copy of another agent", async () => {
    const bench = await Bench.create();
    try {
      const other = await bench.start();
      await vi.waitFor(() => expect(other.source.status.snapshot.writes).toBeGreaterThan(0), 5000);
      file = join(directory, "copied");
      await copyFile(flagSnapshotPath(bench.directory, bench.featbit.streamingUrl), file);
      const { store } = await start();
      expect(backupOf(store)).toEqual(backupOf(other.store));
    } finally {
      await bench[Symbol.asyncDispose]();
    }
  });

  it("that is gone at the next start is served from the copy", async () => {
    await writeFile(file, JSON.stringify(exampleDump()));
    await (await start()).source.stop(2000);
    await rm(file);
    const { store } = await start();
    expect(backupOf(store)).toEqual(exampleDump());
    expect(store.isAuthoritative).toBe(false);
  });

  it("larger than the limit is refused", async () => {
    await writeFile(file, JSON.stringify({ items: [], ...makeFlags(3) }));
    const { source } = await start({ message_size: "1KiB" });
    expect(source.status.file?.lastError?.message).toContain("larger than");
  });
});

function spoil(list: "featureFlags" | "segments", index: number, field: string): string {
  const dump = exampleDump() as unknown as { items: Record<string, Record<string, unknown>[]>[] };
  delete dump.items[0]?.[list]?.[index]?.[field];
  return JSON.stringify(dump);
}

describeLifecycle({
  name: "the flag source, mode offline",
  async create() {
    const own = await mkdtemp(join(tmpdir(), "posthouse-offline-"));
    await writeFile(join(own, "dump.json"), await readFile(new URL(import.meta.url)));
    const { source } = makeSource({
      directory: own,
      config: { mode: "offline", file: join(own, "dump.json") },
    });
    return { part: source, cleanUp: () => rm(own, { recursive: true, force: true }) };
  },
});

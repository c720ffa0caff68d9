import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { SnapshotStore } from "../src/index.ts";
import { createFileStore } from "../src/node.ts";
import { client, manager, page, redirect, redirects, targetOf, temporaryFolder, until } from "./harness.ts";

async function savedCopy() {
  const fake = await manager();
  const unknown = { ...redirect(900, "/later"), type: "GEO" as "BASIC" };
  fake.publish([...redirects(800), unknown, page(901, "/robots.txt")]);
  const file = join(await temporaryFolder(), "manager", "shop");
  const { client: made, events } = client({ url: fake.url, store: createFileStore(file) });
  await made.start();
  await until(() => events.some(({ type }) => type === "saved"));
  await made.stop();
  return { fake, file };
}

describe("the copy on disk", () => {
  it("is the Manager's snapshot, readable by its owner only, with nothing beside it", async () => {
    const { fake, file } = await savedCopy();
    expect(gunzipSync(await readFile(file)).toString()).toBe(fake.text());
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(file, ".."))).toEqual(["shop"]);
  });

  it("serves a start without the Manager", async () => {
    const { fake, file } = await savedCopy();
    await fake.close();
    const { client: made } = client({ url: fake.url, store: createFileStore(file) });
    await made.start();
    expect(targetOf(made, "/r800")).toBe("/to/r800");
    expect(made.status).toMatchObject({
      version: 2,
      hash: fake.hash(),
      loadedFrom: "disk",
      checkedAt: undefined,
    });
  });

  it("is brought up to date by the changes, and written again", async () => {
    const { fake, file } = await savedCopy();
    fake.publish([redirect(1, "/b")]);
    const { client: made, events } = client({ url: fake.url, store: createFileStore(file) });
    await made.start();
    await until(() => events.some(({ type }) => type === "saved"));
    expect(events.filter(({ type }) => type === "loaded")).toMatchObject([
      { how: "disk" },
      { how: "changes" },
    ]);
    expect(gunzipSync(await readFile(file)).toString()).toBe(fake.text());
  });

  it.each([
    ["cut", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2), "STORE_READ_FAILED"],
    ["no gzip", () => Buffer.from("hello"), "STORE_READ_FAILED"],
    ["another text", () => gzipSync("hello\n"), "SNAPSHOT_DAMAGED"],
    [
      "altered",
      (bytes: Buffer) => gzipSync(gunzipSync(bytes).toString().replace("/to/r9", "/xx/r9")),
      "SNAPSHOT_HASH_MISMATCH",
    ],
  ])("is ignored when damaged (%s) and fetched again", async (_name, damage, code) => {
    const { fake, file } = await savedCopy();
    await writeFile(file, damage(await readFile(file)));
    const { client: made, events, failures } = client({ url: fake.url, store: createFileStore(file) });
    await made.start();
    expect(failures()).toEqual([code]);
    await made.ready();
    expect(targetOf(made, "/r9")).toBe("/to/r9");
    await until(() => events.some(({ type }) => type === "saved"));
    expect(gunzipSync(await readFile(file)).toString()).toBe(fake.text());
  });

  it("that cannot be written stops nothing, and is written when that is repaired", async () => {
    const fake = await manager();
    const folder = await temporaryFolder();
    await writeFile(join(folder, "file"), "in the way");
    let path = join(folder, "file", "shop");
    const store: SnapshotStore = {
      read: async () => undefined,
      write: (lines) => createFileStore(path).write(lines),
    };
    const { client: made, failures, events } = client({ url: fake.url, store });
    await made.start();
    await until(() => failures().includes("STORE_WRITE_FAILED"));
    expect(made.status).toMatchObject({ version: 1, lastError: { code: "STORE_WRITE_FAILED" } });
    path = join(folder, "shop");
    await made.checkNow();
    await until(() => events.some(({ type }) => type === "saved"));
    expect(made.status.lastError).toBeUndefined();
  });

  it("keeps the earlier text when a write fails, and leaves nothing beside it", async () => {
    const file = join(await temporaryFolder(), "shop");
    const store = createFileStore(file);
    async function* good() {
      yield "one\n";
    }
    async function* bad() {
      yield "two\n";
      throw new Error("no space");
    }
    await store.write(good());
    await chmod(file, 0o644);
    await expect(store.write(bad())).rejects.toThrow("no space");
    expect(gunzipSync(await readFile(file)).toString()).toBe("one\n");
    expect(await readdir(join(file, ".."))).toEqual(["shop"]);
    await store.write(good());
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("that is a folder is a failure, not an end", async () => {
    const fake = await manager();
    const file = join(await temporaryFolder(), "shop");
    await mkdir(file);
    const { client: made, failures } = client({ url: fake.url, store: createFileStore(file) });
    await made.start();
    expect(failures()).toEqual(["STORE_READ_FAILED"]);
    await made.ready();
    await until(() => failures().includes("STORE_WRITE_FAILED"));
  });

  it("is written one at a time, the latest wins", async () => {
    const fake = await manager();
    const written: string[] = [];
    let release = () => {};
    const store: SnapshotStore = {
      read: async () => undefined,
      async write(lines) {
        let text = "";
        for await (const piece of lines) text += piece;
        written.push(/"version":(\d+)/.exec(text)?.[1] ?? "");
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      },
    };
    const { client: made } = client({ url: fake.url, store });
    await made.start();
    await until(() => written.length === 1);
    for (let i = 0; i < 3; i++) {
      fake.publish([redirect(1, `/v${i}`)]);
      await made.checkNow();
    }
    release();
    await until(() => written.length === 2);
    release();
    expect(written).toEqual(["1", "4"]);
  });
});

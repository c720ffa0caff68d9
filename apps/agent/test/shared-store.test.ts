import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { sharedFileStore } from "../src/replica/shared-store.ts";
import { snapshotPath } from "../src/replica/state-directory.ts";

describe("one snapshot file, two replicas", () => {
  it("is written by one at a time, the later last, also after a failure", async () => {
    const directory = await mkdtemp(join(tmpdir(), "posthouse-store-"));
    const path = join(directory, "plane", "project");
    let writing = 0;
    let most = 0;
    async function* lines(text: string): AsyncGenerator<string> {
      most = Math.max(most, ++writing);
      await sleep(20);
      writing--;
      if (text === "fail") throw new Error("planted");
      yield `${text}\n`;
    }
    const [one, two] = [sharedFileStore(path), sharedFileStore(path)];
    const results = await Promise.allSettled([
      one.write(lines("a")),
      two.write(lines("fail")),
      two.write(lines("b")),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(most).toBe(1);
    const text: Uint8Array[] = [];
    for await (const chunk of (await one.read()) ?? []) text.push(chunk);
    expect(Buffer.concat(text).toString()).toBe("b\n");
    await rm(directory, { recursive: true });
  });
});

it("reads what is being written once it is written", async () => {
  const directory = await mkdtemp(join(tmpdir(), "posthouse-store-"));
  const path = join(directory, "project");
  async function* lines(): AsyncGenerator<string> {
    await sleep(50);
    yield "late\n";
  }
  const writing = sharedFileStore(path).write(lines());
  const text: Uint8Array[] = [];
  for await (const chunk of (await sharedFileStore(path).read()) ?? []) text.push(chunk);
  expect(Buffer.concat(text).toString()).toBe("late\n");
  await writing;
  await rm(directory, { recursive: true });
});

describe("the path of a snapshot", () => {
  it.each([
    ["https://manager.example.com", "manager.example.com"],
    ["https://manager.example.com/", "manager.example.com"],
    ["http://localhost:8080/flecto/", "localhost_8080_flecto"],
    ["http://[::1]:8080", "___1__8080"],
  ])("of %s is below %s", (url, plane) => {
    const manager = { url, namespace: "production", project: "shop" };
    expect(snapshotPath("/state", manager)).toBe(`/state/snapshots/${plane}/production.shop`);
  });
});

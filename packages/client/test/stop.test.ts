import { describe, expect, it } from "vitest";
import { client, manager, redirects, until } from "./harness.ts";

const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

describe("stop", () => {
  it("leaves no timer and no socket", async () => {
    const fake = await manager();
    const before = timers();
    const { client: made } = client({ url: fake.url, push: true });
    await made.start();
    await until(() => made.status.connected);
    expect(timers()).toBeGreaterThan(before);
    await made.stop();
    expect(timers()).toBeLessThanOrEqual(before);
    await until(() => fake.sockets() === 0);
    expect(made.status.connected).toBe(false);
    expect(made.ruleSet).toBeDefined();
  });

  it("does not wait for a Manager that hangs", async () => {
    const fake = await manager();
    fake.publish(redirects(2_000));
    fake.faults.set("snapshot", "hang-body");
    const { client: made, failures } = client({ url: fake.url, timeouts: {} });
    await made.start();
    await until(() => fake.requests.includes("GET snapshot"));
    await made.stop();
    await until(() => fake.sockets() === 0);
    expect(failures()).toEqual([]);
  });

  it("abandons a store that hangs, at the deadline", async () => {
    const fake = await manager();
    const store = { read: async () => undefined, write: () => new Promise<void>(() => {}) };
    const { client: made } = client({ url: fake.url, store });
    await made.start();
    await made.ready();
    await made.stop(50);
  });

  it("may be called twice, and without start", async () => {
    const fake = await manager();
    const { client: made } = client({ url: fake.url });
    await made.stop();
    await made.stop();
    expect(fake.requests).toEqual([]);
    const again = client({ url: fake.url }).client;
    await again.start();
    await Promise.all([again.stop(), again.stop()]);
  });

  it("ends what waits for it", async () => {
    const fake = await manager();
    fake.faults.set("version", "hang");
    const { client: made } = client({ url: fake.url });
    const stopped = expect.objectContaining({ code: "CLIENT_NOT_RUNNING" });
    await expect(made.checkNow()).rejects.toEqual(stopped);
    await made.start();
    const ready = made.ready();
    const check = made.checkNow();
    await Promise.all([made.stop(), expect(ready).rejects.toEqual(stopped), check]);
    await expect(made.start()).rejects.toEqual(stopped);
    await expect(made.ready()).rejects.toEqual(stopped);
    await expect(made.checkNow()).rejects.toEqual(stopped);
  });
});

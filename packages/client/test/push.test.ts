import { describe, expect, it } from "vitest";
import { client, manager, redirect, targetOf, until } from "./harness.ts";

describe("push", () => {
  it("loads what is published within a second", async () => {
    const fake = await manager();
    const { client: made, events } = client({ url: fake.url, push: true });
    await made.start();
    await until(() => made.status.connected);
    fake.publish([redirect(1, "/a")]);
    await until(() => made.status.version === 2, 1_000);
    expect(targetOf(made, "/a")).toBe("/to/a");
    expect(events).toContainEqual({ type: "connected" });
  });

  it("connects again after a polite end, and hears what it missed", async () => {
    const fake = await manager();
    const { client: made, events } = client({ url: fake.url, push: true });
    await made.start();
    await until(() => fake.streams() === 1);
    fake.faults.set("events", "error");
    fake.endStreams();
    await until(() => events.some((event) => event.type === "failed" && event.operation === "push"));
    expect(made.status).toMatchObject({ connected: false, lastError: { code: "MANAGER_FAILED" } });
    fake.publish([redirect(1, "/a")]);
    fake.faults.clear();
    await until(() => made.status.version === 2);
    await until(() => made.status.connected && made.status.lastError === undefined);
  });

  it("takes a silent connection for dead", async () => {
    const fake = await manager();
    const timeouts = { headersMs: 1_500, idleMs: 1_500, pushSilenceMs: 50 };
    const { client: made, failures } = client({ url: fake.url, push: true, timeouts });
    await made.start();
    await until(() => failures().includes("MANAGER_TIMEOUT"));
    await until(() => fake.requests.filter((request) => request === "GET events").length > 1);
  });

  it("loads other items that are announced under the same version", async () => {
    const fake = await manager();
    const { client: made } = client({ url: fake.url, push: true });
    await made.start();
    await until(() => made.status.connected);
    fake.publish([redirect(1, "/restored")], 1);
    await until(() => targetOf(made, "/restored") !== undefined);
    expect(made.status.hash).toBe(fake.hash());
  });

  it("refuses what is no stream of events", async () => {
    const fake = await manager();
    fake.faults.set("events", "refuse");
    const { client: made, failures } = client({ url: fake.url, push: true });
    await made.start();
    await until(() => failures().filter((code) => code === "MANAGER_REFUSED_TOKEN").length > 1);
    expect(made.status.connected).toBe(false);
    fake.faults.clear();
    await until(() => made.status.connected);
  });
});

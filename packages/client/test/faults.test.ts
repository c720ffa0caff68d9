import { describe, expect, it } from "vitest";
import { type ClientOptions, createClient } from "../src/index.ts";
import type { Fault } from "./fake-manager.ts";
import { client, manager, redirect, redirects, targetOf, until } from "./harness.ts";

const cases: [endpoint: string, fault: Fault, code: string][] = [
  ["version", "html", "MANAGER_ANSWER_UNUSABLE"],
  ["version", "hang", "MANAGER_TIMEOUT"],
  ["version", "error", "MANAGER_FAILED"],
  ["version", "refuse", "MANAGER_REFUSED_TOKEN"],
  ["snapshot", "html", "MANAGER_ANSWER_UNUSABLE"],
  ["snapshot", "hang", "MANAGER_TIMEOUT"],
  ["snapshot", "hang-body", "MANAGER_TIMEOUT"],
  ["snapshot", "truncate", "MANAGER_ANSWER_CUT"],
  ["snapshot", "wrong-hash", "SNAPSHOT_HASH_MISMATCH"],
  ["snapshot", "error", "MANAGER_FAILED"],
];

describe("a Manager that fails", () => {
  for (const [endpoint, fault, code] of cases) {
    it(`${endpoint}: ${fault} is ${code}; what was loaded is served, and the version is loaded later`, async () => {
      const fake = await manager();
      fake.publish([redirect(1, "/a")]);
      const { client: made, failures } = client({ url: fake.url });
      await made.start();
      await made.ready();
      fake.changesKept = false;
      fake.faults.set(endpoint, fault);
      fake.publish(redirects(2_000));
      await made.checkNow();
      await until(() => failures().filter((found) => found === code).length > 1);
      expect(targetOf(made, "/a")).toBe("/to/a");
      expect(made.status).toMatchObject({ version: 2, lastError: { code } });
      if (endpoint === "snapshot") {
        expect(fake.reports.at(-1)).toMatchObject({ status: "error", version: 2 });
        expect(fake.reports.at(-1)?.error).toContain(code);
      }
      fake.faults.clear();
      await until(() => made.status.version === 3 && made.status.lastError === undefined);
      await until(() => fake.reports.at(-1)?.version === 3 && fake.reports.at(-1)?.status === "success");
    });
  }

  it("takes the whole when a difference is wrong", async () => {
    const fake = await manager();
    fake.publish([redirect(1, "/a")]);
    const { client: made, failures } = client({ url: fake.url });
    await made.start();
    await made.ready();
    fake.faults.set("changes", "wrong-hash");
    fake.publish([redirect(1, "/b")]);
    await made.checkNow();
    expect(targetOf(made, "/b")).toBe("/to/b");
    expect(failures()).toEqual(["SNAPSHOT_HASH_MISMATCH"]);
  });

  it("starts without a Manager, and reports that nothing is served when the first version fails", async () => {
    const fake = await manager();
    fake.faults.set("version", "hang");
    const { client: made, failures } = client({ url: fake.url });
    await made.start();
    expect(made.ruleSet).toBeUndefined();
    expect(made.status.version).toBe(0);
    fake.faults.set("version", "none").set("snapshot", "html");
    await until(() => failures().includes("MANAGER_ANSWER_UNUSABLE"));
    expect(fake.reports[0]).toMatchObject({ status: "error", version: 1 });
    expect(fake.reports[0]?.error).toMatch(/^Nothing is served\./);
    fake.faults.clear();
    await made.ready();
  });

  it("says that nobody listens", async () => {
    const fake = await manager();
    await fake.close();
    const { client: made, failures } = client({ url: fake.url });
    await made.start();
    await until(() => failures().length > 2);
    expect(new Set(failures())).toEqual(new Set(["MANAGER_UNREACHABLE"]));
    expect(made.status.lastError?.message).toContain("ECONNREFUSED");
  });

  it("goes on trying with a token that is refused", async () => {
    const fake = await manager();
    const { client: made, failures } = client({ url: fake.url, token: "wrong" });
    await made.start();
    await until(() => failures().length > 1);
    expect(new Set(failures())).toEqual(new Set(["MANAGER_REFUSED_TOKEN"]));
    fake.token = "wrong";
    await made.ready();
  });

  it("serves and goes on reporting when reports are refused", async () => {
    const fake = await manager();
    fake.faults.set("agents", "refuse");
    const { client: made, failures } = client({ url: fake.url });
    await made.start();
    await until(() => failures().includes("AGENT_REPORT_FAILED"));
    expect(made.status).toMatchObject({ version: 1, lastError: { code: "AGENT_REPORT_FAILED" } });
    fake.faults.clear();
    await made.checkNow();
    expect(fake.reports).toHaveLength(1);
    expect(made.status.lastError).toBeUndefined();
  });

  it("refuses a snapshot of another project", async () => {
    const fake = await manager();
    const text = fake.text;
    fake.text = () => text().replace('"shop"', '"blog"');
    const { client: made, failures } = client({ url: fake.url });
    await made.start();
    await until(() => failures().includes("SNAPSHOT_OF_ANOTHER_PROJECT"));
    expect(made.ruleSet).toBeUndefined();
  });

  it.each([
    ["no item", (text: string) => `${text}null\n`],
    ["out of order", (text: string) => `${text}${text.split("\n")[1]}\n`],
    ["header says 2", (text: string) => text.split("\n").slice(0, 2).join("\n").concat("\n")],
    ["last line is cut", (text: string) => text.slice(0, -1)],
    ["no snapshot header", (text: string) => `{}\n${text}`],
    ["it is empty", () => ""],
  ])("SNAPSHOT_DAMAGED: %s", async (reason, damage) => {
    const fake = await manager();
    fake.publish([redirect(1, "/a"), redirect(2, "/b")]);
    const text = fake.text;
    fake.text = () => damage(text());
    const { client: made, failures } = client({ url: fake.url });
    await made.start();
    await until(() => failures().includes("SNAPSHOT_DAMAGED"));
    expect(made.status.lastError?.message).toContain(reason);
  });

  it("survives a listener that throws", async () => {
    const fake = await manager();
    const onEvent = () => {
      throw new Error("listener");
    };
    const warning = new Promise((resolve) => process.once("warning", resolve));
    const { client: made } = client({ url: fake.url, onEvent });
    await made.start();
    await made.ready();
    await expect(warning).resolves.toMatchObject({ message: expect.stringContaining("listener") });
  });

  it.each([
    ["manager.url", { url: "manager:8080" }],
    ["manager.url", { url: "http://m/?a=b" }],
    ["manager.namespace", { namespace: "a/b" }],
    ["manager.token", { token: "a\nb" }],
    ["manager.authorizationHeader", { authorizationHeader: "X Y" }],
  ])("refuses the option %s: %o", (option, wrong) => {
    const right = { url: "http://127.0.0.1:1", namespace: "a", project: "b", token: "t" };
    const options: ClientOptions = { manager: { ...right, ...wrong }, agent: { name: "a" } };
    expect(() => createClient(options)).toThrow(expect.objectContaining({ code: "CLIENT_OPTION_INVALID" }));
    expect(() => createClient(options)).toThrow(option);
  });
});

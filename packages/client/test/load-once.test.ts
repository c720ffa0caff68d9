import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fetchRules, readStoredRules } from "../src/index.ts";
import { createFileStore } from "../src/node.ts";
import { client, manager, redirects, temporaryFolder, until } from "./harness.ts";

const project = { namespace: "test", project: "shop" };

describe("rules loaded once", () => {
  it.each([[false], [true]])(
    "come from a Manager that hears nothing of who asked (Flecto: %s)",
    async (isFlecto) => {
      const fake = await manager();
      fake.flecto = isFlecto;
      fake.publish(redirects(3), 7);
      const options = { ...project, url: fake.url, token: "secret" };
      const loaded = await fetchRules(options, { rules: { compat: "flecto" } });
      expect(loaded).toMatchObject({ version: 7, problems: [], ruleSet: { redirects: 3 } });
      expect(loaded.ruleSet.match("h", "/r3")).toMatchObject({ target: "/to/r3" });
      expect(fake.requests.filter((line) => !line.startsWith("GET "))).toEqual([]);
    },
  );

  it("fail with the reason", async () => {
    const options = { ...project, url: "http://127.0.0.1:1", token: "secret" };
    await expect(fetchRules(options)).rejects.toMatchObject({ code: "MANAGER_UNREACHABLE" });
  });

  it("come from the copy that a client left", async () => {
    const path = join(await temporaryFolder(), "copy");
    const store = createFileStore(path);
    expect(await readStoredRules(store, project)).toBeUndefined();
    const fake = await manager();
    fake.publish(redirects(2));
    const { client: made, events } = client({ url: fake.url, store });
    await made.start();
    await made.ready();
    await until(() => events.some(({ type }) => type === "saved"));
    await made.stop();
    expect(await readStoredRules(store, project)).toMatchObject({ ruleSet: { redirects: 2 } });
    const other = { namespace: "test", project: "other" };
    await expect(readStoredRules(store, other)).rejects.toMatchObject({
      code: "SNAPSHOT_OF_ANOTHER_PROJECT",
    });
  });
});

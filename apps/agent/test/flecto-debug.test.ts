import { sendRaw } from "@posthouse/testkit/raw-http";
import { describe, expect, it } from "vitest";
import { basic, type Harness, startHarness } from "./harness.ts";

const rules = [basic("/old", "/new", "MOVED_PERMANENT"), basic("/other", "/\u00e9\r\nX-Evil: 1")];

async function debugHeaders(harness: Harness, path: string): Promise<Record<string, string>> {
  const { headers } = await sendRaw(harness.sitePort, [`GET ${path} HTTP/1.1`, "Host: a.example:8000"]);
  return Object.fromEntries(headers.filter(([name]) => /^x-/i.test(name)));
}

describe("Flecto's debug headers", () => {
  it("name version and URL on every answer, and the rule on a redirect, as Go prints it", async () => {
    await using harness = await startHarness(rules, { project: { compat: "flecto", debug: true } });
    const url = (path: string) => ({
      "X-Middleware-Flecto-Version": "1",
      "X-Middleware-Flecto-Url": `a.example:8000${path}`,
    });
    expect(await debugHeaders(harness, "/nothing?x=1")).toEqual(url("/nothing?x=1"));
    expect(await debugHeaders(harness, "/old")).toEqual({
      ...url("/old"),
      "X-Middleware-Flecto-Redirect": "&{BASIC /old /new MOVED_PERMANENT}",
    });
    expect(await debugHeaders(harness, "/other")).toEqual({
      ...url("/other"),
      "X-Middleware-Flecto-Redirect": "&{BASIC /other /\u00c3\u00a9  X-Evil: 1 FOUND}",
    });
  });

  it("are not there otherwise, nor is an ETag with compat", async () => {
    await using harness = await startHarness(rules, { project: { compat: "flecto" } });
    expect(await debugHeaders(harness, "/old")).toEqual({});
  });

  it("begin with a reload, without loading the rules anew", async () => {
    await using harness = await startHarness(rules, { project: { compat: "flecto" } });
    const loads = (): number => harness.entries.filter(({ msg }) => msg === "rules loaded").length;
    const before = loads();
    await harness.agent.reload(harness.config({ project: { compat: "flecto", debug: true } }));
    expect(await debugHeaders(harness, "/nothing")).toHaveProperty("X-Middleware-Flecto-Version", "1");
    expect(loads()).toBe(before);
  });
});

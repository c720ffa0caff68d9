import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { literalStart } from "../scripts/conformance-flecto/literal-start.ts";
import { flecto } from "../scripts/conformance-flecto.ts";

const file = join(import.meta.dirname, "..", "packages", "rules", "test", "vectors", "flecto.json");
interface Case {
  readonly name: string;
  readonly level: string;
  readonly expect: unknown;
}
const cases = JSON.parse(readFileSync(file, "utf8")) as readonly Case[];

describe("Flecto's cases", () => {
  it("all pass, at every level", async () => {
    const { passed, failures } = await flecto.run(cases);
    expect(failures).toEqual([]);
    expect(passed).toBe(219);
    const levels = new Set(cases.map(({ level }) => level));
    expect([...levels].toSorted()).toEqual(["host_select", "http", "match", "middleware_config"]);
  }, 120_000);

  it("fail when something else is expected, whatever their level and kind", async () => {
    const kindOf = ({ expect: wanted }: Case): string => String(Object(wanted).kind);
    const examples = new Map(cases.map((one) => [`${one.level} ${kindOf(one)}`, one]));
    const wrong = [...examples.values()].map((one) => ({ ...one, ...turned(one) }));
    const { passed, failures } = await flecto.run(wrong);
    expect(failures.map(({ name }) => name).toSorted()).toEqual(wrong.map(({ name }) => name).toSorted());
    expect(passed).toBe(0);
    expect(wrong.length).toBeGreaterThanOrEqual(9);
  }, 120_000);
});

/** Something that this case does not say. */
function turned({ level, expect: wanted }: Case): object {
  if (level === "middleware_config") {
    const config = { manager_url: "MGR", namespace_code: "n", project_code: "p", token_jwt: "t" };
    return { config };
  }
  if (level === "http") return { expect: { kind: "http", status: 299, headers: {}, body: "" } };
  if (level === "host_select") {
    return { expect: wanted === null ? { kind: "client", namespace: "no", project: "such" } : null };
  }
  const redirect = { kind: "redirect", redirect_index: 99, target: "/no", status: 301 };
  const other = ["redirect", "page"].includes(String(Object(wanted).kind)) ? null : redirect;
  return { expect: other, expect_plain_regex: other };
}

describe("the literal start of a pattern", () => {
  it.each([
    ["/old", "/old"],
    ["/old.html", "/old"],
    ["/a\\.b", "/a.b"],
    ["/ab?", "/a"],
    ["/ab+c", "/ab"],
    ["/ab{2}", "/a"],
    ["(/old)", "/old"],
    ["(?:/old)", "/old"],
    ["(?P<n>/old)", "/old"],
    ["(/a)*b", ""],
    ["/old|/new", ""],
    ["(?i)/old", ""],
    ["[o]ld", ""],
    ["\\d+", ""],
    [".*", ""],
  ])("%s -> %j", (pattern, start) => expect(literalStart(pattern)).toBe(start));
});

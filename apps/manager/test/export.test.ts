import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { type Redirect, redirectStatusNames } from "@posthouse/protocol";
import { createRowParser, parseRules } from "@posthouse/rules";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ExportFormat, exportRedirects } from "../src/store/export.ts";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

const cell = fc
  .string({ unit: fc.constantFrom(...'ab/é"\t\n,; 😀\\u'.split(/(?:)/u)), maxLength: 12 })
  .map((text) => `/p${text}x`);
const redirects: fc.Arbitrary<Redirect[]> = fc.uniqueArray(
  fc.record({
    type: fc.constant("REGEX" as const),
    source: cell.map((text) => text.replaceAll("\\", "")),
    target: fc.oneof(
      cell,
      cell.map((text) => `"${text}`),
    ),
    status: fc.constantFrom(...redirectStatusNames),
  }),
  { selector: ({ source }) => source, maxLength: 8 },
);

/** What an export of these would be, from a snapshot file as the Manager keeps it. */
async function written(items: readonly Redirect[], format: ExportFormat): Promise<string> {
  const lines = items.map((item, index) => JSON.stringify({ id: index + 1, kind: "redirect", ...item }));
  const file = gzipSync(`{"posthouse":"snapshot"}\n${lines.map((line) => `${line}\n`).join("")}`);
  const stream = Readable.from([file.subarray(0, 20), file.subarray(20)]);
  let text = "";
  for await (const part of exportRedirects({ version: 1, hash: "", bytes: 0, stream }, format, {}))
    text += part;
  return text;
}

describe("an export", () => {
  it.each(["tsv", "csv"] as const)("as %s reads as what was exported", async (format) => {
    await fc.assert(
      fc.asyncProperty(redirects, async (items) => {
        const parser = createRowParser();
        const rows = [...parser.push(await written(items, format)), ...parser.end()];
        expect(rows.map((row) => ("redirect" in row ? row.redirect : row.error))).toEqual(items);
      }),
    );
  });

  it("as JSON reads as what was exported", async () => {
    await fc.assert(
      fc.asyncProperty(redirects, async (items) => {
        expect(parseRules(await written(items, "json"), "json").redirects).toEqual(items);
      }),
    );
  });
});

describe("exporting over HTTP", () => {
  let harness: Harness;
  const path = "/api/v1/namespaces/ns/projects/prj/export";
  beforeAll(async () => {
    harness = await startHarness();
    await harness.project("POST", "/redirects", redirect("/a", '/say "hi"'));
    await harness.project("POST", "/redirects", {
      ...redirect("^/b"),
      type: "REGEX",
      status: "MOVED_PERMANENT",
    });
    const page = { type: "BASIC", path: "/p", content: "x", contentType: "XML" };
    await harness.project("POST", "/pages", page);
    await harness.project("POST", "/publish");
    await harness.project("POST", "/redirects", redirect("/only-a-draft"));
  });
  afterAll(() => harness.close());

  it("gives the published redirects, and no drafts or pages", async () => {
    const { status, text, headers } = await harness.request("GET", path);
    expect(status).toBe(200);
    expect(text).toBe(
      'type\tsource\ttarget\tstatus\nBASIC\t/a\t"/say ""hi"""\tFOUND\nREGEX\t^/b\t/target\tMOVED_PERMANENT\n',
    );
    expect(headers.get("content-disposition")).toBe('attachment; filename="ns-prj-v2.tsv"');
    const again = await harness.request("POST", path.replace("export", "import"), {
      body: text,
      headers: { "content-type": "text/tab-separated-values" },
    });
    expect(again.json).toMatchObject({ success: true, skippedCount: 2, importedCount: 0 });
  });

  it("filters, in three formats", async () => {
    const csv = await harness.request("GET", `${path}?format=csv&type=REGEX,BASIC_HOST`);
    expect(csv.text).toBe("type,source,target,status\nREGEX,^/b,/target,MOVED_PERMANENT\n");
    expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    const json = await harness.request("GET", `${path}?format=json&search=SAY&status=FOUND`);
    expect(json.json).toEqual([redirect("/a", '/say "hi"')]);
    expect((await harness.request("GET", `${path}?format=json&search=nothing`)).json).toEqual([]);
    expect((await harness.request("GET", `${path}?format=xls`)).status).toBe(400);
    expect((await harness.request("GET", `${path}?type=ODD`)).status).toBe(400);
  });
});

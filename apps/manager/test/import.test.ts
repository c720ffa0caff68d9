import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";
import { hashOfLines, readLines } from "./snapshot-hash.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const path = "/api/v1/namespaces/ns/projects/prj/import";
const type = { "content-type": "text/tab-separated-values" };
const header = "type\tsource\ttarget\tstatus\n";

async function send(rows: string[], query = "") {
  return harness.request("POST", path + query, { body: header + rows.join("\n"), headers: type });
}

describe("importing redirects", () => {
  it("keeps the good rows and says what is wrong with the others", async () => {
    const { status, json } = await send([
      "BASIC\t/one\t/1\tFOUND",
      "basic\t/two\t/2\t301",
      "BASIC\t/one\t/other\t302",
      "WRONG\t/x\t/y\t302",
      "BASIC\t\t/y\t302",
      "BASIC\t/z\t\t302",
      "BASIC\t/z\t/y\t999",
      "BASIC\t/z",
      "REGEX\t(\t/y\t302",
    ]);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      success: false,
      totalLines: 9,
      importedCount: 2,
      skippedCount: 0,
      errorCount: 7,
    });
    expect(json.errors.map(({ line, reason }: { line: number; reason: string }) => [line, reason])).toEqual([
      [4, "DUPLICATE_SOURCE_IN_FILE"],
      [5, "INVALID_TYPE"],
      [6, "EMPTY_SOURCE"],
      [7, "EMPTY_TARGET"],
      [8, "INVALID_STATUS"],
      [9, "INVALID_FORMAT"],
      [10, "INVALID_REDIRECT"],
    ]);
    expect((await harness.project("GET", "/drafts")).json.items).toMatchObject([
      { id: 1, change: "CREATE", redirect: redirect("/one", "/1") },
      { id: 2, change: "CREATE", redirect: { source: "/two", status: "MOVED_PERMANENT" } },
    ]);
  });

  it("skips what is the same, overwrites the rest, or refuses it", async () => {
    const rows = ["BASIC\t/one\t/1\tFOUND", "BASIC\t/two\t/2b\tFOUND"];
    const refused = await send(rows, "?overwrite=false");
    expect(refused.json).toMatchObject({ importedCount: 0, errorCount: 2 });
    expect(refused.json.errors[0]).toMatchObject({
      line: 2,
      source: "/one",
      reason: "SOURCE_ALREADY_EXISTS",
    });
    expect((await send(rows)).json).toMatchObject({ success: true, importedCount: 1, skippedCount: 1 });
    await harness.project("POST", "/publish");
    const again = await send([...rows, "BASIC\t/three\t/3\tFOUND"]);
    expect(again.json).toMatchObject({ importedCount: 1, skippedCount: 2 });
    await send(["BASIC\t/two\t/2c\tFOUND"]);
    expect((await harness.project("GET", "/drafts")).json.items).toMatchObject([
      { id: 2, change: "UPDATE", redirect: redirect("/two", "/2c") },
      { id: 3, change: "CREATE", redirect: redirect("/three", "/3") },
    ]);
    await harness.project("POST", "/publish");
  });

  it("turns a pending deletion into an update", async () => {
    await harness.project("DELETE", "/redirects/1");
    expect((await send(["BASIC\t/one\t/1\tFOUND"])).json).toMatchObject({
      importedCount: 1,
      skippedCount: 0,
    });
    expect((await harness.project("GET", "/drafts")).json.items).toMatchObject([{ id: 1, change: "UPDATE" }]);
    await harness.project("POST", "/publish");
    expect((await harness.project("GET", "")).json.redirects).toBe(3);
  });

  it("takes a source that a pending change gives up", async () => {
    await harness.project("PUT", "/redirects/1", redirect("/moved"));
    const { json } = await send(["BASIC\t/one\t/x\tFOUND", "BASIC\t/moved\t/y\tFOUND"]);
    expect(json).toMatchObject({ success: true, importedCount: 2 });
    expect((await harness.project("GET", "/drafts")).json.items).toMatchObject([
      { id: 1, change: "UPDATE", redirect: { source: "/moved", target: "/y" } },
      { id: 4, change: "CREATE", redirect: { source: "/one", target: "/x" } },
    ]);
    await harness.project("POST", "/publish");
    expect((await harness.project("GET", "")).json.redirects).toBe(4);
  });

  it("takes many rows, compressed, and the hashes hold", async () => {
    const rows = Array.from({ length: 12_345 }, (_, index) => `BASIC\t/many/${index}\t/é/${index}\t301`);
    const body = gzipSync(header + rows.join("\n"));
    const headers = { ...type, "content-encoding": "gzip" };
    const { json } = await harness.request("POST", path, { body, headers });
    expect(json).toMatchObject({ success: true, totalLines: 12_345, importedCount: 12_345 });
    const { json: published } = await harness.project("POST", "/publish");
    const { header: read, lines } = readLines((await harness.agent("GET", "/snapshot")).text);
    expect(read).toMatchObject({ items: 12_349, hash: published.hash });
    expect(hashOfLines(lines)).toBe(published.hash);
    const gone = await harness.agent("GET", "/changes?from=0");
    expect(gone.status).toBe(404);
    await harness.project("DELETE", "/redirects/300");
    const { json: smaller } = await harness.project("POST", "/publish");
    expect(hashOfLines(readLines((await harness.agent("GET", "/snapshot")).text).lines)).toBe(smaller.hash);
  });

  it("lists a thousand errors and counts all", async () => {
    const { json } = await send(Array.from({ length: 1_500 }, () => "BASIC\t\t/y\t302"));
    expect(json.errorCount).toBe(1_500);
    expect(json.errors).toHaveLength(1_000);
  });

  it("orders errors as Flecto does: unreadable rows, then by 5,000 rows the invalid and the existing ones", async () => {
    const rows = [
      "REGEX\t(a\t/y\t302",
      "BASIC\t/three\t/changed\t302",
      ...Array.from({ length: 5_000 }, (_, index) => `BASIC\t/order/${index}\t/t\t301`),
      "REGEX\t(b\t/y\t302",
      "BASIC\t/two\t/changed\t302",
      "BASIC\t/three\t/again\t302",
      "ODD\t/z\t/y\t302",
    ];
    const { json } = await send(rows, "?overwrite=false");
    expect(json).toMatchObject({ totalLines: rows.length, importedCount: 5_000, errorCount: 6 });
    expect(json.errors.map(({ line, reason }: { line: number; reason: string }) => [line, reason])).toEqual([
      [5_006, "DUPLICATE_SOURCE_IN_FILE"],
      [5_007, "INVALID_TYPE"],
      [2, "INVALID_REDIRECT"],
      [3, "SOURCE_ALREADY_EXISTS"],
      [5_004, "INVALID_REDIRECT"],
      [5_005, "SOURCE_ALREADY_EXISTS"],
    ]);
  });

  it.each([
    ["commas", "type,source,target,status\n", ","],
    ["semicolons behind a byte order mark", "\uFEFFType;Source;Target;Status\r\n", ";"],
    ["tabs behind a byte order mark", "\uFEFFtype\tsource\ttarget\tstatus\n", "\t"],
  ])("takes %s", async (name, head, separator) => {
    const cells = ["BASIC", `"/say""${name.length}"`, "/t", "301"];
    const body = head + cells.join(separator);
    const headers = { "content-type": "application/vnd.ms-excel" };
    const { json } = await harness.request("POST", path, { body, headers });
    expect(json).toMatchObject({ success: true, importedCount: 1 });
  });

  it("warns of targets that a request may choose, and of what Flecto's agents would miss", async () => {
    const { json } = await send([
      "REGEX\t^/(.*)/$\t/$1\t301",
      "REGEX\t^/(page|post)/(.*)$\t/x\t301",
      "BASIC\t/fine\t/t\t301",
    ]);
    expect(json).toMatchObject({ success: true, importedCount: 3, warningCount: 2 });
    expect(json.warnings).toMatchObject([
      { line: 2, source: "^/(.*)/$", code: "TARGET_MAY_LEAVE_SITE" },
      { line: 3, code: "PATTERN_MISSED_BY_FLECTO" },
    ]);
    expect(json.warnings[0].message).toContain("evil.example");
    const many = await send(Array.from({ length: 150 }, (_, index) => `REGEX\t^/w${index}/(.*)/$\t$1\t301`));
    expect([many.json.warningCount, many.json.warnings.length]).toEqual([150, 100]);
  });

  it("refuses rows that are not UTF-8, and takes the others", async () => {
    const body = Buffer.concat([
      Buffer.from(`${header}BASIC\t/latin\t/caf`),
      Buffer.from([0xe9]),
      Buffer.from("\t301\nBASIC\t/utf8\t/café\t301\n"),
    ]);
    const { json } = await harness.request("POST", path, { body, headers: type });
    expect(json).toMatchObject({ importedCount: 1, errorCount: 1 });
    expect(json.errors[0]).toMatchObject({ line: 2, reason: "INVALID_REDIRECT" });
  });

  it("is in the journal, with its first errors", async () => {
    await send(["ODD\t/x\t/y\t301", "BASIC\t/journal\t/t\t301"], "?filename=list.tsv");
    const { items } = (await harness.project("GET", "/journal?action=IMPORT&limit=1")).json;
    expect(items[0]).toMatchObject({ resource: "REDIRECT", actor: "test", authType: "token" });
    expect(items[0].data).toEqual({
      ...{ filename: "list.tsv", overwrite: true, totalLines: 2, imported: 1, skipped: 0, errorCount: 1 },
      errorSample: [{ line: 2, source: "/x", reason: "INVALID_TYPE" }],
    });
  });

  it("bounds what a compressed body may become", async () => {
    const body = gzipSync(Buffer.alloc(201 * 1024 * 1024, "x"), { level: 1 });
    const headers = { ...type, "content-encoding": "gzip" };
    const { status, json } = await harness.request("POST", path, { body, headers });
    expect([status, json.code]).toEqual([413, "BODY_TOO_LARGE"]);
  });

  it("keeps no poll waiting", async () => {
    const rows = Array.from({ length: 60_000 }, (_, index) => `REGEX\t^/slow/${index}/(.*)$\t/t/$1\t301`);
    let slowest = 0;
    let running = true;
    const polling = (async () => {
      while (running) {
        const begun = performance.now();
        expect((await harness.agent("GET", "/version")).status).toBe(200);
        slowest = Math.max(slowest, performance.now() - begun);
      }
    })();
    const { json } = await send(rows);
    running = false;
    await polling;
    expect(json.importedCount).toBe(60_000);
    expect(slowest).toBeLessThan(500); // five times what is promised
  }, 60_000);

  it("refuses what is no such file", async () => {
    const wrong = await harness.request("POST", path, { body: "a,b\n", headers: type });
    expect([wrong.status, wrong.json.code]).toEqual([400, "TSV_HEADER_INVALID"]);
    const json = await harness.request("POST", path, { json: {} });
    expect([json.status, json.json.code]).toEqual([415, "MEDIA_TYPE_UNSUPPORTED"]);
    const headers = { ...type, "content-encoding": "gzip" };
    const damaged = await harness.request("POST", path, { body: "no gzip", headers });
    expect([damaged.status, damaged.json.code]).toEqual([400, "BODY_UNREADABLE"]);
    const brotli = await harness.request("POST", path, {
      body: "x",
      headers: { ...type, "content-encoding": "br" },
    });
    expect(brotli.status).toBe(415);
  });
});

import { DatabaseSync } from "node:sqlite";
import { formatItem, type Item } from "@posthouse/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerFunctions } from "../src/database/functions.ts";
import { type Harness, startHarness } from "./manager-harness.ts";
import { hashOfLines, readLines } from "./snapshot-hash.ts";

let harness: Harness;
let database: DatabaseSync;
beforeAll(async () => {
  harness = await startHarness();
  database = new DatabaseSync(harness.databasePath, { readOnly: true });
  registerFunctions(database);
});
afterAll(async () => {
  database.close();
  await harness.close();
});

const sources = Array.from({ length: 12 }, (_, index) => `/source/${index}`);
const row = fc.record({
  source: fc.constantFrom(...sources),
  target: fc.constantFrom("/a", "/b", '/é"\\\u2028', "/nul\0tail", "", "/\u{1f600}"),
});
const imported = fc.record({
  step: fc.constant("import" as const),
  rows: fc.uniqueArray(row, { selector: ({ source }) => source, maxLength: sources.length }),
  overwrite: fc.boolean(),
});
const edited = fc.record({
  step: fc.constantFrom("PUT" as const, "DELETE" as const),
  at: fc.nat(20),
  source: fc.constantFrom(...sources),
});
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: imported },
    { weight: 2, arbitrary: edited },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("publish" as const) }) },
  ),
  { minLength: 2, maxLength: 8 },
);

/** Drafts and items of a project whose hash is not that of what they say. */
function wrongHashes(code: string): unknown[] {
  const columns = "kind, x.type, x.source, x.target, x.status, x.content, x.content_type";
  const wrong = (table: string, id: string): unknown[] =>
    database
      .prepare(`select x.${id} as id, x.source from ${table} x join project p on p.id = x.project_id
        where p.code = ? and x.hash is not item_hash(x.${id}, x.${columns})`)
      .all(code);
  return [...wrong("draft", "item_id"), ...wrong("item", "id")];
}

describe("the hashes of imported redirects", () => {
  it("are those of what was imported, whatever the project held before", { timeout: 120_000 }, async () => {
    let projects = 0;
    let drafts = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const code = `p${projects++}`;
        const base = "/api/v1/namespaces/ns/projects";
        await harness.request("POST", base, { json: { code, name: code } });
        for (const each of all) {
          if (each.step === "import") {
            const lines = each.rows.map(({ source, target }) => `BASIC\t${source}\t${target}\t301`);
            const { status } = await harness.request(
              "POST",
              `${base}/${code}/import?overwrite=${each.overwrite}`,
              {
                body: ["type\tsource\ttarget\tstatus", ...lines].join("\n"),
                headers: { "content-type": "text/tab-separated-values" },
              },
            );
            expect(status).toBe(200);
          } else if (each.step === "publish") await harness.request("POST", `${base}/${code}/publish`);
          else {
            const json = { type: "BASIC", source: each.source, target: "/edited", status: "FOUND" };
            const path = `${base}/${code}/redirects/${each.at}`;
            await harness.request(each.step, path, each.step === "PUT" ? { json } : {});
          }
          expect(wrongHashes(code)).toEqual([]);
        }
        const { drafts: pending } = (await harness.request("GET", `${base}/${code}`)).json;
        drafts += pending.redirects;
        await harness.request("POST", `${base}/${code}/publish`);
        const { json: project } = await harness.request("GET", `${base}/${code}`);
        const { lines } = readLines(
          (await harness.request("GET", `/api/namespace/ns/project/${code}/snapshot`)).text,
        );
        expect(hashOfLines(lines)).toBe(project.hash);
        for (const line of lines) expect(formatItem(JSON.parse(line) as Item)).toBe(line);
      }),
      { numRuns: 40 },
    );
    expect(drafts).toBeGreaterThan(0);
  });

  it("hold when another redirect took the first id while the text was coming", async () => {
    const code = "overtaken";
    const base = `/api/v1/namespaces/ns/projects/${code}`;
    await harness.request("POST", "/api/v1/namespaces/ns/projects", { json: { code, name: code } });
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const sent = harness.request("POST", `${base}/import`, {
      body: readable,
      headers: { "content-type": "text/tab-separated-values" },
    });
    const line = (index: number): string => `BASIC\t/row/${index}\t/t\t301\n`;
    const head = Array.from({ length: 5_000 }, (_, index) => line(index)).join("");
    await writer.write(Buffer.from(`type\tsource\ttarget\tstatus\n${head}`));
    const others = 20;
    for (let index = 0; index < others; index += 1) {
      const json = { type: "BASIC", source: `/other/${index}`, target: "/t", status: "FOUND" };
      expect((await harness.request("POST", `${base}/redirects`, { json })).status).toBe(201);
    }
    await writer.write(Buffer.from(line(5_000)));
    await writer.close();
    expect((await sent).json).toMatchObject({ importedCount: 5_001 });
    expect(
      database.prepare("select max(item_id) as last from draft where source like '/other/%'").get(),
    ).toEqual({
      last: others,
    });
    expect(wrongHashes(code)).toEqual([]);
  });
});

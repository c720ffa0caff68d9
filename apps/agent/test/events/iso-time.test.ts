import { execFileSync } from "node:child_process";
import { needPackage } from "@posthouse/testkit/services";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { parseIsoTime } from "../../src/events/celery/iso-time.ts";

const python = await needPackage("python3-minimal", "python3");
if ("missing" in python) console.warn(python.missing);
const zone = process.env.TZ;
afterAll(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const program = `
import datetime, json, sys
print(json.dumps([int(datetime.datetime.fromisoformat(t).timestamp() * 1000) for t in json.load(sys.stdin)]))
`;

describe("times in ISO 8601", () => {
  it("are milliseconds, cut off", () => {
    expect(parseIsoTime("2026-11-21T01:15:57.936532+00:00")).toBe(1795223757936);
    expect(parseIsoTime("2026-11-21T01:15:57.9999999Z")).toBe(1795223757999);
    expect(parseIsoTime("2026-11-21T03:15:57,936+02:00")).toBe(1795223757936);
    expect(parseIsoTime("20261121T011557Z")).toBe(1795223757000);
    expect(parseIsoTime("2026-11-21 01:15-0530")).toBe(Date.UTC(2026, 10, 21, 6, 45));
    expect(parseIsoTime("2026-11-21T24:00:00Z")).toBe(Date.UTC(2026, 10, 22));
  });

  it("without an offset are local", () => {
    process.env.TZ = "America/New_York";
    expect(parseIsoTime("2026-11-21T01:15:57.5")).toBe(Date.UTC(2026, 10, 21, 6, 15, 57, 500));
    expect(parseIsoTime("2026-07-01")).toBe(Date.UTC(2026, 6, 1, 4));
    process.env.TZ = "UTC";
    expect(parseIsoTime("2026-11-21T01:15:57")).toBe(1795223757000);
  });

  for (const text of [
    ...[
      "",
      "x",
      "tomorrow",
      "2026-13-01",
      "2026-02-30T00:00:00Z",
      "2026-11-21T25:00:00Z",
      "2026-11-21T01:60:00Z",
    ],
    ...[
      "2026-11-21T24:00:01Z",
      "2026-11-21T01:15:57+25:00",
      "2026-11-21T01:15:57+01:99",
      "0000-01-01",
      "1795223757",
    ],
    ...[
      "2026-11-21T01:15:57 +00:00",
      " 2026-11-21",
      "2026-11-21T",
      "2026-11-21T01:15:57Zulu",
      "1".repeat(100_000),
    ],
  ]) {
    it(`are refused when they are none: ${text.slice(0, 40)}`, () =>
      expect(parseIsoTime(text)).toBeUndefined());
  }

  it.skipIf("missing" in python)("are what Python makes of them", () => {
    process.env.TZ = "Europe/Berlin";
    const two = (value: number): string => String(value).padStart(2, "0");
    const time = fc
      .record({
        date: fc.date({ min: new Date("1971-01-01"), max: new Date("2100-01-01"), noInvalidDate: true }),
        microseconds: fc.nat(999_999),
        offset: fc.option(fc.integer({ min: -1439, max: 1439 })),
      })
      .map(({ date, microseconds, offset }) => {
        const size = Math.abs(offset ?? 0);
        const sign = (offset ?? 0) < 0 ? "-" : "+";
        const end = offset === null ? "" : `${sign}${two(Math.trunc(size / 60))}:${two(size % 60)}`;
        return `${date.toISOString().slice(0, 19)}.${String(microseconds).padStart(6, "0")}${end}`;
      });
    const texts = fc.sample(time, { numRuns: 3000, seed: 21 });
    const input = JSON.stringify(texts);
    const output = execFileSync("path" in python ? python.path : "", ["-c", program], {
      input,
      encoding: "utf8",
      timeout: 60_000,
    });
    expect(texts.map(parseIsoTime)).toEqual(JSON.parse(output));
  });
});

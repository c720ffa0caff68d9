import { describe, expect, it } from "vitest";
import { parseGoDuration } from "../src/convert/go-duration.ts";

describe("durations as Go reads them", () => {
  it.each([
    ["5m", 300_000],
    ["1h2m3.5s", 3_723_500],
    ["+1.5h", 5_400_000],
    ["-5m", -300_000],
    [".5s", 500],
    ["1.s", 1000],
    ["100us", 0.1],
    ["100µs", 0.1],
    ["0", 0],
    ["-0", 0],
    ["0s", 0],
    ["", undefined],
    ["5", undefined],
    ["5 m", undefined],
    ["m", undefined],
    [".s", undefined],
    ["1d", undefined],
    ["5m ", undefined],
    ["1e3s", undefined],
    ["--5m", undefined],
  ])("%j -> %j", (text, ms) => {
    const found = parseGoDuration(text);
    if (ms === undefined) expect(found).toBeUndefined();
    else expect(found).toBeCloseTo(ms);
  });
});

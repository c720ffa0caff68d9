import { describe, expect, it } from "vitest";
import { describeTraceback } from "../../src/events/celery/traceback.ts";

const head = 'Traceback (most recent call last):\n  File "/app.py", line 1, in f\n    x\n';
const errorOf = (last: string): unknown => describeTraceback(head + last, "E()").error;

describe("a traceback", () => {
  it("is told by its last line", () => {
    const text = `${head}ZeroDivisionError: division by zero\n`;
    expect(describeTraceback(text, "ZeroDivisionError('division by zero')")).toEqual({
      traceback: text,
      lang: "python",
      error: { type: "ZeroDivisionError", message: "division by zero" },
      stack: [],
      trace: { raw: text, text, wc: text },
    });
  });

  for (const [last, type, message] of [
    ["my.module.Error: boom: twice", "my.module.Error", "boom: twice"],
    ["Fehler_ä: kaputt é中", "Fehler_ä", "kaputt é中"],
    ["ValueError: x\n\n\n", "ValueError", "x"],
    ["KeyboardInterrupt", "", ""],
    ["ValueError: one\nand two", "", ""],
    ["ValueError: one\nE: two", "E", "two"],
    ["mod.f.<locals>.Error: x", "", ""],
    ["ValueError:x", "", ""],
    ["", "", ""],
  ] as const) {
    it(`whose last line is ${JSON.stringify(last)}`, () => expect(errorOf(last)).toEqual({ type, message }));
  }

  it("of another language is kept, unread", () => {
    const text = "Error: x\n    at f (a.js:1:1)";
    expect(describeTraceback(text, "E()")).toMatchObject({
      lang: "unknown",
      error: { type: "", message: "" },
    });
    expect(describeTraceback(text, "E()").trace?.raw).toBe(text);
    // The words must begin a line.
    expect(describeTraceback(` ${head}ValueError: x`, "E()").lang).toBe("unknown");
    expect(describeTraceback(`Oh:\n${head}ValueError: x`, "E()").lang).toBe("python");
  });

  it("of a retry is told by the exception", () => {
    const text = `${head}celery.exceptions.Retry: Retry in 0.2s: RuntimeError('not yet')\n`;
    const summary = "celery.exceptions.Retry: RuntimeError('not yet')";
    expect(describeTraceback(text, "RuntimeError('not yet')")).toEqual({
      traceback: text,
      lang: "python",
      error: { type: "celery.exceptions.Retry", message: "RuntimeError('not yet')" },
      stack: [],
      trace: { raw: summary, text: summary, wc: summary },
    });
  });

  it("is cut to 30,000 characters, that of a retry is not", () => {
    const long = head + "x".repeat(40_000);
    expect(describeTraceback(long, "E()").traceback).toBe(long.slice(0, 30_000));
    expect(describeTraceback(long, "E()").trace?.wc.length).toBe(30_000);
    const retry = `${"x".repeat(31_000)} celery.exceptions.Retry: x`;
    expect(describeTraceback(retry, "E()").traceback).toBe(retry);
    const { error, trace } = describeTraceback(retry, "y".repeat(31_000));
    expect([error?.message.length, trace?.raw.length]).toEqual([30_000, 30_000]);
  });

  it("is read in time linear in its length", () => {
    expect(describeTraceback(`${head}${"a.".repeat(1_000_000)}`, "E()").error).toEqual({
      type: "",
      message: "",
    });
    expect(describeTraceback("\n".repeat(5_000_000), "E()").lang).toBe("unknown");
  });
});

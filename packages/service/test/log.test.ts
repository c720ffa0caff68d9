import { PosthouseError } from "@posthouse/protocol";
import { describe, expect, it } from "vitest";
import { createLog, Secret } from "../src/index.ts";

function collect(options: { format: "json" | "pretty"; isTTY?: boolean; level?: "debug" | "info" }) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line), isTTY: options.isTTY ?? false };
  return { lines, log: createLog({ level: "info", ...options, destination }) };
}

const error = new PosthouseError("PORT_IN_USE", "taken", { hint: "look", cause: new Error("inner") });

describe("json log", () => {
  it("writes an object per line with time, level, fields and message", () => {
    const { lines, log } = collect({ format: "json" });
    log.child({ part: "agent" }).warn({ port: 80, token: new Secret("x") }, "careful");
    log.debug({}, "unseen");
    expect(lines).toHaveLength(1);
    const { time, ...rest } = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
    expect(new Date(String(time)).getTime()).toBeGreaterThan(0);
    expect(rest).toEqual({ level: "warn", part: "agent", port: 80, token: "[hidden]", msg: "careful" });
  });

  it("writes our errors by code and hint, others with their stack, causes included", () => {
    const { lines, log } = collect({ format: "json" });
    log.error({ error }, "cannot start");
    const entry = JSON.parse(lines[0] ?? "") as { error: Record<string, unknown> };
    expect(entry.error).toMatchObject({ code: "PORT_IN_USE", message: "taken", hint: "look" });
    expect(entry.error).not.toHaveProperty("stack");
    expect(entry.error.cause).toMatchObject({ message: "inner", stack: expect.stringContaining("log.test") });
  });

  it("needs no stack for what the system or SQLite says", () => {
    const { lines, log } = collect({ format: "json" });
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    log.error({ error: Object.assign(full, { syscall: "write" }) }, "not written");
    log.error({ error: Object.assign(new Error("database is locked"), { errcode: 5 }) }, "not locked");
    const errors = lines.map((line) => (JSON.parse(line) as { error: unknown }).error);
    expect(errors).toEqual([{ code: "ENOSPC", message: full.message }, { message: "database is locked" }]);
  });
});

describe("pretty log", () => {
  it("writes one short line per entry, without colours to a file", () => {
    const { lines, log } = collect({ format: "pretty" });
    log.info({ port: 80, host: "a b", list: [1], error }, "started");
    expect(lines.join("")).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} info {2}started port=80 host="a b" list=\[1\] error=PORT_IN_USE taken \(look\)\n$/,
    );
  });

  it("uses colours on a terminal only", () => {
    const { lines, log } = collect({ format: "pretty", isTTY: true });
    log.error({}, "red");
    expect(lines[0]).toContain("\u001b[31merror\u001b[39m");
  });

  it("lets nobody forge a line or steer the terminal", () => {
    const { lines, log } = collect({ format: "pretty" });
    log.info({ host: "a\u001b[2J\n12:00 error forged", path: "x\u009b2J" }, "one\ntwo\u001b[31m");
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toMatch(/\p{Cc}/u);
  });
});

describe("a log whose settings change", () => {
  it("writes as it is told now, its children too, whenever they were made", () => {
    const { lines, log } = collect({ format: "json" });
    const child = log.child({ part: "agent" });
    const grandchild = child.child({ project: "shop" });
    child.debug({}, "unseen");
    log.change({ level: "debug", format: "pretty" });
    grandchild.debug({}, "seen");
    log.change({ level: "error", format: "json" });
    child.warn({}, "unseen");
    child.error({}, "seen");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/ debug seen part=agent project=shop\n$/);
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({ level: "error", part: "agent", msg: "seen" });
  });
});

import { describe, expect, it } from "vitest";
import { commands } from "../src/commands.ts";
import { commandHelp, overview } from "../src/help.ts";
import { runCommand } from "./run-command.ts";

describe("help", () => {
  it.each(commands.map((command) => [command.name, command] as const))("of %s teaches", (name, command) => {
    const text = commandHelp(command);
    expect(text).toContain(`posthouse ${name}`);
    expect(command.examples.length).toBeGreaterThan(0);
    for (const example of command.examples) expect(example).toContain(`posthouse ${name}`);
    for (const option of Object.keys(command.options)) expect(text).toContain(`--${option}`);
    expect(overview(commands)).toContain(command.summary);
  });
});

describe("what is typed wrong", { timeout: 60_000 }, () => {
  it.each([
    [["chek"], /there is no command "chek"; did you mean "check"\? \[COMMAND_UNKNOWN\]/],
    [["check", "--confg", "x"], /unknown option '--confg'; did you mean "--config"\? \[USAGE\]/],
    [["import", "tvs", "x", "--project", "a/b"], /"tvs"; did you mean "tsv"\? \[FORMAT_UNKNOWN\]/],
    [["import", "tsv", "x", "--project", "ab"], /expected NAMESPACE\/PROJECT \[USAGE\]/],
    [["import", "tsv", "/nowhere", "--project", "a/b"], /\[FILE_UNREADABLE\]/],
    [["explain"], /expected URL, got nothing \[USAGE\]\n {2}`posthouse explain --help`/],
  ])("%j is told with what was probably meant", async (args, message) => {
    const { code, stderr } = await runCommand(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

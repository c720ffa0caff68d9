/**
 * The command `posthouse`: finds the subcommand, parses its options, prints errors in one line.
 * Exit codes: 0 done, 1 something failed on the way, 2 it could not start as asked (usage, configuration, port, state).
 */
import { isPosthouseError, PosthouseError } from "@posthouse/protocol";
import { parseArguments } from "./command.ts";
import { commands } from "./commands.ts";
import { commandErrors } from "./errors.ts";
import { commandHelp, overview } from "./help.ts";
import { version } from "./version.ts";

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = joinWords(args);
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    const topic = name === "help" ? commands.find((command) => command.name === rest[0]) : undefined;
    process.stdout.write(topic === undefined ? overview(commands) : commandHelp(topic));
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "-v" || name === "version") {
    process.stdout.write(`posthouse ${version()} (Node ${process.version})\n`);
    return 0;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const known = commands.map((one) => one.name);
    const { suggestionText } = await import("@posthouse/service");
    const suggestion = suggestionText(name, known);
    throw commandErrors.create("COMMAND_UNKNOWN", { name, suggestion, known: known.join(", ") });
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(commandHelp(command));
    return 0;
  }
  return command.run(await parseArguments(command, rest));
}

/** The names of some commands are two words. */
function joinWords([first, second, ...rest]: readonly string[]): string[] {
  const joined = `${first} ${second}`;
  if (commands.some((command) => command.name === joined)) return [joined, ...rest];
  return [first, second, ...rest].filter((word) => word !== undefined);
}

function report(error: unknown): void {
  if (isPosthouseError(error)) {
    process.stderr.write(`posthouse: ${error.message} [${error.code}]\n`);
    if (error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`);
  } else {
    process.stderr.write(
      `posthouse: unexpected failure, please report it\n${error instanceof Error ? error.stack : String(error)}\n`,
    );
  }
}

// Without a listener Node would open its debugger to everybody on this machine. Access logs have one of their own.
process.on("SIGUSR1", () => {});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  report(error);
  process.exitCode = error instanceof PosthouseError || isPosthouseError(error) ? 2 : 1;
}

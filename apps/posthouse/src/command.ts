import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { commandErrors } from "./errors.ts";

export interface CommandOption {
  readonly short?: string;
  /** What stands after the option in the help, such as FILE; without it the option is a switch. */
  readonly value?: string;
  readonly default?: string;
  readonly help: string;
}

export interface Arguments {
  readonly positionals: readonly string[];
  /** The value of an option, its default, or undefined. */
  text(name: string): string | undefined;
  /** As `text`, but USAGE when it is missing. */
  required(name: string): string;
  flag(name: string): boolean;
  /** One of these values, or undefined. */
  choice<const Value extends string>(name: string, values: readonly Value[]): Value | undefined;
  /** A port: 0 to 65535. */
  port(name: string): number;
}

/** A subcommand of `posthouse`. `run` resolves with the exit code. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Paragraphs of its own help page: what it reads, what it writes, how it ends. */
  readonly details?: readonly string[];
  readonly positionals: readonly { readonly name: string; readonly help: string }[];
  readonly options: Readonly<Record<string, CommandOption>>;
  readonly examples: readonly string[];
  run(args: Arguments): Promise<number>;
}

/** Parses what follows the subcommand's name; throws USAGE for anything unknown, missing or too much. */
export async function parseArguments(command: Command, args: readonly string[]): Promise<Arguments> {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, option] of Object.entries(command.options)) {
    options[name] = {
      type: option.value === undefined ? "boolean" : "string",
      ...(option.short === undefined ? {} : { short: option.short }),
    };
  }
  const { values, positionals } = await parse(command, [...args], options);
  if (positionals.length !== command.positionals.length) {
    const expected = command.positionals.map(({ name }) => name).join(" ") || "no arguments";
    throw usage(
      command,
      `expected ${expected}, got ${positionals.length === 0 ? "nothing" : positionals.join(" ")}`,
    );
  }
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === "string" ? value : command.options[name]?.default;
  };
  const required = (name: string): string => {
    const value = text(name);
    if (value === undefined) throw usage(command, `--${name} is missing`);
    return value;
  };
  return {
    positionals,
    text,
    required,
    flag: (name) => values[name] === true,
    choice(name, allowed) {
      const value = text(name);
      const found = allowed.find((one) => one === value);
      if (value !== undefined && found === undefined)
        throw usage(command, `--${name} ${value}: expected ${allowed.join(" or ")}`);
      return found;
    },
    port(name) {
      const value = required(name);
      const port = Number(value);
      if (!/^\d{1,5}$/.test(value) || port > 65535)
        throw usage(command, `--${name} ${value} is no port (0 to 65535)`);
      return port;
    },
  };
}

async function parse(
  command: Command,
  args: string[],
  options: ParseArgsOptionsConfig,
): Promise<{ values: Record<string, unknown>; positionals: string[] }> {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    const message = error instanceof Error ? (error.message.split(". ")[0] ?? error.message) : String(error);
    const [, option] = /^Unknown option '(--[^']+)'/.exec(message) ?? [];
    const known = Object.keys(options).map((name) => `--${name}`);
    // Loaded only now: a command that is typed right starts without it.
    const { suggestionText } = await import("@posthouse/service");
    const suggestion = option === undefined ? "" : suggestionText(option, known);
    throw usage(command, message.charAt(0).toLowerCase() + message.slice(1) + suggestion);
  }
}

function usage(command: Command, problem: string): Error {
  return commandErrors.create("USAGE", { problem, command: command.name });
}

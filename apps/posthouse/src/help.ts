import type { Command } from "./command.ts";

/** The page shown by `posthouse help`. */
export function overview(commands: readonly Command[]): string {
  const rows: [string, string][] = commands.map((command) => [synopsis(command), command.summary]);
  return `posthouse: redirects and pages in the request path, and the Manager that decides them

Usage
  posthouse COMMAND [OPTIONS]
  posthouse COMMAND --help

Commands
${table(rows)}

Start here
  posthouse up
`;
}

/** The page shown by `posthouse COMMAND --help`. */
export function commandHelp(command: Command): string {
  const rows: [string, string][] = [
    ...command.positionals.map(({ name, help }): [string, string] => [name, help]),
    ...Object.entries(command.options).map(([name, option]): [string, string] => [
      `${option.short === undefined ? "    " : `-${option.short}, `}--${name}${option.value === undefined ? "" : ` ${option.value}`}`,
      option.default === undefined ? option.help : `${option.help} (default: ${option.default})`,
    ]),
  ];
  const options = rows.length === 0 ? "" : `\n${table(rows)}\n`;
  const examples = command.examples.map((example) => `  ${example}`).join("\n");
  const details = (command.details ?? []).map((paragraph) => `\n${wrap(paragraph)}\n`).join("");
  return `posthouse ${synopsis(command)}\n\n${wrap(command.summary)}\n${options}${details}\nExamples\n${examples}\n`;
}

function synopsis(command: Command): string {
  const needed = Object.entries(command.options)
    .filter(
      ([, option]) =>
        option.value !== undefined && option.default === undefined && option.help.startsWith("needed"),
    )
    .map(([name, option]) =>
      option.short === undefined ? `--${name} ${option.value}` : `-${option.short} ${option.value}`,
    );
  return [command.name, ...command.positionals.map(({ name }) => name), ...needed].join(" ");
}

function table(rows: readonly [string, string][]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

const pageWidth = 100;

function wrap(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last !== "" && last.length + 1 + word.length > pageWidth) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.join("\n");
}

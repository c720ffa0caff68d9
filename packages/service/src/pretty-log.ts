import { styleText } from "node:util";
import type { LogDestination } from "./log-destination.ts";

type Style = Parameters<typeof styleText>[0];
type Entry = { time?: string; level?: string; msg?: string } & Record<string, unknown>;

const levelStyles: Readonly<Record<string, Style>> = {
  debug: "gray",
  info: "green",
  warn: "yellow",
  error: "red",
};

/** Turns JSON entries into `12:30:00.123 info  message  key=value`: one line each, colours only when asked for. */
export function createPrettyStream(output: LogDestination, colours: boolean): LogDestination {
  const paint = (style: Style, text: string): string =>
    colours ? styleText(style, text, { validateStream: false }) : text;
  return {
    write(line) {
      const { time = "", level = "info", msg = "", ...fields } = JSON.parse(line) as Entry;
      const parts = [
        paint("gray", time.slice(11, 23)),
        paint(levelStyles[level] ?? "green", level.padEnd(5)),
        printable(msg),
        ...Object.entries(fields).map(([key, value]) => paint("gray", `${key}=`) + formatValue(key, value)),
      ];
      output.write(`${parts.join(" ")}\n`);
    },
  };
}

function formatValue(key: string, value: unknown): string {
  if (key === "error" && typeof value === "object" && value !== null) {
    const { code, message, hint } = value as Record<string, unknown>;
    return [code, message, hint === undefined ? undefined : `(${hint})`]
      .filter((text) => text !== undefined)
      .map((text) => printable(String(text)))
      .join(" ");
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return typeof value === "string" && /^[^\s"=]+$/.test(text) ? printable(text) : quoted(value);
}

const quoted = (value: unknown): string =>
  typeof value === "object" ? printable(JSON.stringify(value)) : JSON.stringify(value);

/** Control characters, which could forge a line or steer a terminal, as escapes. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) =>
    JSON.stringify(char)
      .slice(1, -1)
      .replace(/^[\u007f-\u009f]$/, "?"),
  );
}

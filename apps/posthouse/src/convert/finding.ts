import type { Path, Place } from "./located-yaml.ts";

/** `error`: it is refused. `warning`: it is told, and converted. */
export interface Finding {
  readonly severity: "error" | "warning";
  readonly path: Path;
  readonly message: string;
}

/** Notes a finding. */
export type Note = (severity: Finding["severity"], path: Path, message: string) => void;

/** `hosts[0].match`; "the file" for the whole. */
export function formatPath(path: Path): string {
  const text = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
  return text.replace(/^\./, "") || "the file";
}

/** `file:line:column  key: message`. */
export function formatFinding(
  { path, message }: Finding,
  file: string,
  locate: (path: Path) => Place,
): string {
  const { line, column } = locate(path);
  return `${file}:${line}:${column}  ${formatPath(path)}: ${message}`;
}

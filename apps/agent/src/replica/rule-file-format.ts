import { basename, extname } from "node:path";
import type { RuleFileFormat } from "@posthouse/rules";

const formats: Readonly<Record<string, RuleFileFormat>> = {
  ".yaml": "yaml",
  ".yml": "yaml",
  ".json": "json",
  ".tsv": "tsv",
  ".csv": "csv",
};

/** The format of a rule file by its name; undefined when the name tells none. */
export function ruleFileFormat(path: string): RuleFileFormat | undefined {
  if (basename(path) === "_redirects") return "_redirects";
  return formats[extname(path).toLowerCase()];
}

import type { PosthouseError } from "@posthouse/protocol";
import { suggestionText } from "@posthouse/service";
import { commandErrors } from "./errors.ts";

/** FORMAT_UNKNOWN with the format that was probably meant. */
export function unknownFormat(format: string, known: readonly string[]): PosthouseError {
  const suggestion = suggestionText(format, known);
  return commandErrors.create("FORMAT_UNKNOWN", { format, suggestion, known: known.join(", ") });
}

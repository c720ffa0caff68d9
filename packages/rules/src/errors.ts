import { createErrorCatalogue, type ErrorCatalogue } from "@posthouse/protocol";

const definitions = {
  TSV_HEADER_INVALID: {
    message: 'The first line holds "{found}", not the columns type, source, target, status.',
    hint: "Start the file with these four names, in this order, with tabs, commas or semicolons between them.",
  },
  RULE_FILE_INVALID: { message: "The file cannot be read as rules: {reason}." },
  RULE_SET_FOREIGN: {
    message: "The base is not a RuleSet that was compiled here with the same compat option.",
    hint: "Compile all items again.",
  },
} as const;

/** The errors of this package. */
export const rulesErrors: ErrorCatalogue<keyof typeof definitions> = createErrorCatalogue(definitions);

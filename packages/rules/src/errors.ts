import { createErrorCatalogue, type ErrorCatalogue } from "@posthouse/protocol";

const definitions = {
  TSV_HEADER_INVALID: {
    message: 'The first line holds "{found}", not the columns type, source, target, status.',
    hint: "Save the file as tab-separated text with the header: type<TAB>source<TAB>target<TAB>status.",
  },
} as const;

/** The errors of this package. */
export const rulesErrors: ErrorCatalogue<keyof typeof definitions> = createErrorCatalogue(definitions);

import { createErrorCatalogue, type ErrorCatalogue } from "@posthouse/protocol";

const definitions = {
  FLAG_USER_INVALID: {
    message: "The user cannot be read: {reason}.",
    hint: "Send keyId and name as text, and customizedProperties as a list of name and value.",
  },
  FLAG_TOKEN_INVALID: { message: "The connection token is not one of FeatBit's: {reason}." },
  FLAG_SECRET_INVALID: {
    message: "The secret is not one of FeatBit's: {reason}.",
    hint: "Copy the environment secret from the portal: 44 characters.",
  },
} as const;

/** The errors of this package. */
export const flagsErrors: ErrorCatalogue<keyof typeof definitions> = createErrorCatalogue(definitions);

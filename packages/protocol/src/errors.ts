/** One entry of a package's error catalogue. `{name}` in the texts is replaced by a value of that name. */
export interface ErrorDefinition {
  readonly message: string;
  readonly hint?: string;
}

/** An error that users meet: a stable code to search for, what happened, and what to do about it. */
export class PosthouseError extends Error {
  override readonly name = "PosthouseError";
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** Tells a PosthouseError from any other, also across two copies of this package. */
export function isPosthouseError(error: unknown): error is PosthouseError {
  return error instanceof Error && error.name === "PosthouseError" && "code" in error;
}

export type ErrorValues = Readonly<Record<string, string | number>>;

/** A package's errors: the definitions (for the reference page) and the function that makes them. */
export interface ErrorCatalogue<Code extends string> {
  readonly definitions: Readonly<Record<Code, ErrorDefinition>>;
  create(code: Code, values?: ErrorValues, options?: { cause?: unknown; hint?: string }): PosthouseError;
}

/** Makes the catalogue of one package. */
export function createErrorCatalogue<const Code extends string>(
  definitions: Readonly<Record<Code, ErrorDefinition>>,
): ErrorCatalogue<Code> {
  return {
    definitions,
    create(code, values = {}, options = {}) {
      const { message, hint } = definitions[code];
      const text = options.hint ?? hint;
      return new PosthouseError(code, fill(message, values), {
        hint: text === undefined ? undefined : fill(text, values),
        cause: options.cause,
      });
    },
  };
}

function fill(template: string, values: ErrorValues): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

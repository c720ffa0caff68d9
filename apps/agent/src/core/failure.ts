import { isPosthouseError } from "@posthouse/protocol";

/** Something that was tried and does not work now, as `/status` shows it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** When it was tried last. */
  readonly at: Date;
  /** Since when it fails. */
  readonly since: Date;
}

/** `before` is how it failed the last time, when it did not succeed since. */
export function describeFailure(error: unknown, before?: Failure): Failure {
  const at = new Date();
  const code = isPosthouseError(error) ? error.code : "UNEXPECTED";
  const message = error instanceof Error ? error.message : String(error);
  return { code, message, at, since: before?.since ?? at };
}

import type { PosthouseError } from "@posthouse/protocol";
import { errors } from "../errors.ts";

export interface SqliteFailure {
  readonly message: string;
  /** SQLite's extended result code, 0 when the failure is not SQLite's. */
  readonly errcode: number;
}

/** A statement that SQLite refused. */
export class SqliteError extends Error {
  override readonly name = "SqliteError";
  readonly errcode: number;
  constructor({ message, errcode }: SqliteFailure) {
    super(message);
    this.errcode = errcode;
  }
}

const uniqueCodes = [2067, 1555];
const full = 13;
const busy = [5, 6];
const damaged = [11, 26];

/** A row with this key is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof SqliteError && uniqueCodes.includes(error.errcode);
}

/** What users are told when the database cannot be opened. */
export function openFailure(error: unknown, path: string): PosthouseError {
  const reason = error instanceof Error ? error.message : String(error);
  const code = error instanceof SqliteError ? error.errcode & 255 : 0;
  if (busy.includes(code)) return errors.create("DATABASE_IN_USE", { path }, { cause: error });
  if (damaged.includes(code)) return errors.create("DATABASE_DAMAGED", { path, reason }, { cause: error });
  return errors.create("DATABASE_CANNOT_OPEN", { path, reason }, { cause: error });
}

/** What users are told when a statement fails for a reason that is not theirs. */
export function runFailure(error: SqliteError): PosthouseError {
  const code = error.errcode & 255;
  if (busy.includes(code)) return errors.create("DATABASE_BUSY", {}, { cause: error });
  if (code === full) return errors.create("DATABASE_FULL", {}, { cause: error });
  return errors.create("DATABASE_FAILED", { reason: error.message }, { cause: error });
}

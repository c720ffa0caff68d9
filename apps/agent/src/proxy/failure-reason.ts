/** Why a request was not answered by its backend. */
export type FailureReason =
  | "unreachable"
  | "closed"
  | "garbage"
  | "timed_out"
  | "busy"
  | "body_too_large"
  | "stopped"
  | "loop";

const reasons: Readonly<Record<string, FailureReason>> = {
  BACKEND_UNREACHABLE: "unreachable",
  BACKEND_GARBAGE: "garbage",
  BACKEND_BUSY: "busy",
};

/** Why, by the error of a connection. */
export function reasonOf(error: Error): FailureReason {
  return reasons["code" in error ? String(error.code) : ""] ?? "closed";
}

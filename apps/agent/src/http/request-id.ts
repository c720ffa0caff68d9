import { randomUUID } from "node:crypto";

const idPattern = /^[\w!#$%&'*+.^`|~-]{1,128}$/;

/** The id by which a request is known in logs and to the backend: a trusted proxy's, when it is a token, or a new one. */
export function requestId(incoming: string | undefined, trusted: boolean): string {
  return trusted && incoming !== undefined && idPattern.test(incoming) ? incoming : randomUUID();
}

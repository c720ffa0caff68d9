import {
  createErrorCatalogue,
  type ErrorCatalogue,
  isPosthouseError,
  type PosthouseError,
} from "@posthouse/protocol";

/** Everything that can go wrong between an agent and its Manager. None of it stops an agent from serving. */
export const errors: ErrorCatalogue<
  | "AGENT_REPORT_FAILED"
  | "CLIENT_NOT_RUNNING"
  | "CLIENT_OPTION_INVALID"
  | "MANAGER_ANSWER_CUT"
  | "MANAGER_ANSWER_TOO_LARGE"
  | "MANAGER_ANSWER_UNUSABLE"
  | "MANAGER_FAILED"
  | "MANAGER_KEEPS_CHANGING"
  | "MANAGER_REFUSED_TOKEN"
  | "MANAGER_TIMEOUT"
  | "MANAGER_UNREACHABLE"
  | "SNAPSHOT_DAMAGED"
  | "SNAPSHOT_HASH_MISMATCH"
  | "SNAPSHOT_OF_ANOTHER_PROJECT"
  | "STORE_READ_FAILED"
  | "STORE_WRITE_FAILED"
> = createErrorCatalogue({
  AGENT_REPORT_FAILED: {
    message: "The Manager did not take this agent's report: {reason}",
    hint: "Rules are kept up to date all the same; only the Manager's list of agents is behind. The token needs agent:write.",
  },
  CLIENT_NOT_RUNNING: { message: "The client is not running: it was not started, or it was stopped" },
  CLIENT_OPTION_INVALID: { message: "The client's option {option} cannot be used: {reason}" },
  MANAGER_ANSWER_CUT: {
    message: "The answer of {url} ended before its end",
    hint: "Look for a proxy in between that limits the size or the time of an answer.",
  },
  MANAGER_ANSWER_TOO_LARGE: { message: "The answer of {url} is larger than {limit} bytes" },
  MANAGER_ANSWER_UNUSABLE: {
    message: "{url} answered, but not as a Manager does: {reason}",
    hint: "Check the Manager's address: a web page in place of an answer means that something else listens there.",
  },
  MANAGER_FAILED: {
    message: "{url} answered with status {status}: {body}",
    hint: "Check the codes of namespace and project; otherwise the Manager's own log says more.",
  },
  MANAGER_KEEPS_CHANGING: {
    message: "The project was published again during each of {attempts} attempts to read it",
    hint: "It is read again by itself. A Manager that offers snapshots does not have this problem.",
  },
  MANAGER_REFUSED_TOKEN: {
    message: "{url} refused the token with status {status}: {body}",
    hint: "The token needs redirect:read, page:read and agent:write on this project. It is tried again by itself.",
  },
  MANAGER_TIMEOUT: { message: "{url} did not answer within {ms} ms" },
  MANAGER_UNREACHABLE: {
    message: "{url} cannot be reached: {reason}",
    hint: "What was loaded goes on being served; the connection is tried again by itself.",
  },
  SNAPSHOT_DAMAGED: { message: "The {what} cannot be used: {reason}" },
  SNAPSHOT_HASH_MISMATCH: {
    message: "The {what} of version {version} has the hash {actual}, but {expected} was announced",
    hint: "It was altered or damaged on its way; it is fetched again by itself.",
  },
  SNAPSHOT_OF_ANOTHER_PROJECT: {
    message: "The {what} belongs to {found}, not to {wanted}",
    hint: "Give each project a file of its own.",
  },
  STORE_READ_FAILED: {
    message: "The copy on disk cannot be read: {reason}",
    hint: "It is fetched from the Manager again.",
  },
  STORE_WRITE_FAILED: {
    message: "The copy on disk cannot be written: {reason}",
    hint: "Serving goes on. Until this is repaired, a restart without the Manager would serve an older version, or nothing.",
  },
});

/** What an error says, with the codes of the operating system when there are any. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reasonOf).join("; ");
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return code === "" || error.message.includes(code) ? error.message : `${error.message} (${code})`;
}

/** The error itself when it has a code of ours, otherwise what `wrap` makes of it. */
export function coded(error: unknown, wrap: (error: unknown) => PosthouseError): PosthouseError {
  return isPosthouseError(error) ? error : wrap(error);
}

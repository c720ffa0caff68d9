import { createErrorCatalogue, type ErrorCatalogue } from "@posthouse/protocol";

export const commandErrors: ErrorCatalogue<
  | "COMMAND_UNKNOWN"
  | "USAGE"
  | "FILE_UNREADABLE"
  | "FORMAT_UNKNOWN"
  | "TOKEN_MISSING"
  | "MANAGER_NOT_REACHED"
  | "MANAGER_REFUSED"
  | "STATE_UNUSABLE"
  | "AGENT_NOT_READY"
> = createErrorCatalogue({
  COMMAND_UNKNOWN: {
    message: 'there is no command "{name}"',
    hint: "Commands: {known}. `posthouse help` describes them.",
  },
  USAGE: { message: "{problem}", hint: "`posthouse {command} --help` shows how it is used." },
  FILE_UNREADABLE: { message: "cannot read {file}: {reason}" },
  FORMAT_UNKNOWN: { message: 'there is no format "{format}"', hint: "Formats: {known}." },
  TOKEN_MISSING: {
    message: "no token for the Manager",
    hint: "Set POSTHOUSE_TOKEN, or name the state directory of `posthouse up` with --state.",
  },
  MANAGER_NOT_REACHED: {
    message: "no answer from the Manager at {url}: {reason}",
    hint: "Is it running, and is --manager right?",
  },
  MANAGER_REFUSED: { message: "the Manager refused {what}: {reason}" },
  STATE_UNUSABLE: {
    message: "cannot write the state directory {path}: {reason}",
    hint: "Choose another one with --state.",
  },
  AGENT_NOT_READY: {
    message: "the agent had nothing to serve after {seconds} s",
    hint: "`posthouse up --verbose` shows what it tried.",
  },
});

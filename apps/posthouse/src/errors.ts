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
  | "CONVERT_SYNTAX"
  | "CONVERT_INVALID"
  | "MIDDLEWARE_AMBIGUOUS"
  | "MIDDLEWARE_UNKNOWN"
  | "FILE_EXISTS"
  | "FILE_NOT_WRITABLE"
  | "URL_UNUSABLE"
  | "PROJECT_UNKNOWN"
  | "RULES_UNREADABLE"
> = createErrorCatalogue({
  COMMAND_UNKNOWN: {
    message: 'there is no command "{name}"{suggestion}',
    hint: "Commands: {known}. `posthouse help` describes them.",
  },
  USAGE: { message: "{problem}", hint: "`posthouse {command} --help` shows how it is used." },
  FILE_UNREADABLE: { message: "cannot read {file}: {reason}" },
  FORMAT_UNKNOWN: { message: 'there is no format "{format}"{suggestion}', hint: "Formats: {known}." },
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
  CONVERT_SYNTAX: { message: "{where}: cannot be read: {reason}", hint: "Give YAML or JSON." },
  CONVERT_INVALID: {
    message: "{problems}",
    hint: "Correct the keys named above.",
  },
  MIDDLEWARE_AMBIGUOUS: {
    message: "{file} has {count} Flecto middlewares: {names}",
    hint: "Choose one with --middleware NAME.",
  },
  MIDDLEWARE_UNKNOWN: {
    message: "{file} has no Flecto middleware{wanted}",
    hint: "{expected}",
  },
  FILE_EXISTS: { message: "{file} exists already", hint: "Choose another name, or remove it." },
  FILE_NOT_WRITABLE: { message: "cannot write {file}: {reason}" },
  URL_UNUSABLE: {
    message: '"{url}" is neither a URL nor a path',
    hint: "Give https://shop.example.com/old?x=1, or /old with --host shop.example.com.",
  },
  PROJECT_UNKNOWN: { message: 'there is no project "{name}" in {file}{suggestion}', hint: "It has {known}." },
  RULES_UNREADABLE: { message: "cannot read the rules of {file}: {reason}" },
});

import { createErrorCatalogue, type ErrorCatalogue } from "@posthouse/protocol";

type Code =
  | "STATE_NOT_WRITABLE"
  | "RELOAD_NOT_READY"
  | "AGENT_NOT_RUNNING"
  | "FILE_NOT_READABLE"
  | "ACCESS_LOG_NOT_WRITABLE"
  | "BACKEND_UNREACHABLE"
  | "BACKEND_CLOSED"
  | "BACKEND_TIMED_OUT"
  | "BACKEND_GARBAGE"
  | "BACKEND_BUSY"
  | "TLS_FILE_UNREADABLE"
  | "TLS_FILE_UNUSABLE"
  | "TLS_KEY_MISMATCH"
  | "TLS_SETTINGS_UNUSABLE"
  | "RULE_FILE_MISSING"
  | "RULE_FILE_UNUSABLE";

/** The errors of @posthouse/agent. */
export const agentErrors: ErrorCatalogue<Code> = createErrorCatalogue({
  STATE_NOT_WRITABLE: {
    message: "the state directory {directory} cannot be written: {reason}",
    hint: "make it a directory of the user that runs the agent, or name another one as `state`",
  },
  RELOAD_NOT_READY: {
    message: "the changed project {project} had no rules within {seconds} s; the old one goes on",
    hint: "check the Manager's address, the codes and the token, or the rule file: {reason}",
  },
  AGENT_NOT_RUNNING: { message: "the agent does not run, so there is nothing to reload" },
  FILE_NOT_READABLE: { message: "the file {file} cannot be read: {reason}" },
  ACCESS_LOG_NOT_WRITABLE: {
    message: "the access log {file} cannot be written: {reason}",
    hint: "check that its folder exists and that the agent's user may write there",
  },
  BACKEND_UNREACHABLE: {
    message: "the backend {address} cannot be reached: {reason}",
    hint: "check that it listens there",
  },
  BACKEND_CLOSED: { message: "the backend {address} closed the connection {when}" },
  BACKEND_TIMED_OUT: { message: "the backend {address} took longer than {seconds} s {doing}" },
  BACKEND_GARBAGE: { message: "the backend's answer is not HTTP/1: {reason}" },
  BACKEND_BUSY: {
    message: "all {connections} connections to the backend {address} are busy, and the queue is full",
  },
  TLS_FILE_UNREADABLE: {
    message: "{key}: the file {file} cannot be read: {reason}",
    hint: "the user that runs the agent must be able to read it",
  },
  TLS_FILE_UNUSABLE: {
    message: "{key}: the file {file} holds no {what}: {reason}",
    hint: "PEM is expected; a key must not be encrypted",
  },
  TLS_KEY_MISMATCH: {
    message: "{key}: the private key {file} does not belong to the certificate {certificate}",
    hint: "the first certificate of the file must be the server's own, its issuers follow",
  },
  TLS_SETTINGS_UNUSABLE: {
    message: "{key}: these settings cannot be used: {reason}",
    hint: "ciphers are OpenSSL's names, separated by colons",
  },
  RULE_FILE_MISSING: {
    message: "there is no rule file {file}",
    hint: "rules that were loaded before are served on; the file is read as soon as it is there",
  },
  RULE_FILE_UNUSABLE: {
    message: "the rule file {file} cannot be used: {reason}",
    hint: "rules that were loaded before are served on; the file is read again when it changes",
  },
});

import { createErrorCatalogue, type ErrorCatalogue } from "@posthouse/protocol";

type Code =
  | "CONFIG_UNREADABLE"
  | "CONFIG_SYNTAX"
  | "CONFIG_INVALID"
  | "PORT_IN_USE"
  | "PORT_REFUSED"
  | "LISTEN_FAILED"
  | "STOP_TOO_SLOW";

/** The errors of @posthouse/service. */
export const serviceErrors: ErrorCatalogue<Code> = createErrorCatalogue({
  CONFIG_UNREADABLE: {
    message: "cannot read {file}: {reason}",
    hint: "name the configuration file with -c FILE and let this user read it",
  },
  CONFIG_SYNTAX: { message: "{problems}", hint: "the file is not YAML; correct the places named above" },
  CONFIG_INVALID: { message: "{problems}", hint: "correct the places named above" },
  PORT_IN_USE: {
    message: "{address} is in use by another process",
    hint: "stop that process (ss -ltnp shows it) or listen elsewhere",
  },
  PORT_REFUSED: {
    message: "this user may not listen on {address}",
    hint: "ports below 1024 need CAP_NET_BIND_SERVICE; or listen on a higher port",
  },
  LISTEN_FAILED: {
    message: "cannot listen on {address}: {reason}",
    hint: "the address must be one of this machine",
  },
  STOP_TOO_SLOW: { message: "{part} did not stop within {deadline} ms" },
});

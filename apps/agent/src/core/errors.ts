import { createErrorCatalogue, type ErrorCatalogue } from "@posthouse/protocol";

type Code = "STATE_NOT_WRITABLE" | "RELOAD_NOT_READY" | "AGENT_NOT_RUNNING";

/** The errors of @posthouse/agent. */
export const agentErrors: ErrorCatalogue<Code> = createErrorCatalogue({
  STATE_NOT_WRITABLE: {
    message: "the state directory {directory} cannot be written: {reason}",
    hint: "make it a directory of the user that runs the agent, or name another one as `state`",
  },
  RELOAD_NOT_READY: {
    message: "the changed project {project} had no rules within {seconds} s; the old one goes on",
    hint: "check the Manager's address, the codes and the token: {reason}",
  },
  AGENT_NOT_RUNNING: { message: "the agent does not run, so there is nothing to reload" },
});

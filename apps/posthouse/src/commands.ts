import type { Command } from "./command.ts";
import { agentCommand } from "./commands/agent.ts";
import { checkCommand } from "./commands/check.ts";
import { convertCommand } from "./commands/convert.ts";
import { explainCommand } from "./commands/explain.ts";
import { importCommand } from "./commands/import.ts";
import { managerCommand } from "./commands/manager.ts";
import { resetPasswordCommand } from "./commands/reset-password.ts";
import { schemaCommand } from "./commands/schema.ts";
import { upCommand } from "./commands/up.ts";

/** Every subcommand, in the order in which the help shows them. */
export const commands: readonly Command[] = [
  upCommand,
  agentCommand,
  managerCommand,
  resetPasswordCommand,
  checkCommand,
  explainCommand,
  importCommand,
  convertCommand,
  schemaCommand,
];

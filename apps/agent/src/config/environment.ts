import { parseConfig, serviceErrors } from "@posthouse/service";
import { readLeekEnvironment } from "./leek-environment.ts";
import { type AgentConfig, agentConfigSchema } from "./schema.ts";

/**
 * The configuration of an agent that is started without a file, as the containers it replaces are: from their
 * environment variables. `POSTHOUSE_STATE`, `POSTHOUSE_ADMIN_LISTEN` and `POSTHOUSE_ADMIN_TOKEN` say what those have no
 * name for. Undefined: the environment asks for nothing. Throws CONFIG_… errors.
 */
export function readEnvironmentConfig(env: NodeJS.ProcessEnv): AgentConfig | undefined {
  const leek = readLeekEnvironment(env);
  if (leek === undefined) return undefined;
  const { POSTHOUSE_STATE: state = "./state", POSTHOUSE_ADMIN_LISTEN: listen } = env;
  const { POSTHOUSE_ADMIN_TOKEN: token } = env;
  if (token === "")
    throw serviceErrors.create("CONFIG_INVALID", { problems: "POSTHOUSE_ADMIN_TOKEN: is empty" });
  const base = {
    state,
    admin: { ...(listen && { listen }), token: token ?? "" },
    log: leek.logLevel === undefined ? {} : { level: leek.logLevel },
  };
  // A `${` in a variable stands for itself.
  const text = JSON.stringify(base).replaceAll("${", "$$${");
  const label = (path: readonly PropertyKey[]): string | undefined => variables[path.join(".")];
  return { ...parseConfig(text, "environment", agentConfigSchema, {}, label), events: leek.events };
}

const variables: Readonly<Record<string, string>> = {
  state: "POSTHOUSE_STATE",
  "admin.listen": "POSTHOUSE_ADMIN_LISTEN",
  "admin.token": "POSTHOUSE_ADMIN_TOKEN",
};

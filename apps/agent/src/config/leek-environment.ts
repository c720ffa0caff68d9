import { type LogLevel, Secret, serviceErrors } from "@posthouse/service";
import type { EventsConfig, LeekSurroundings } from "./events.ts";
import { parseLeekSubscriptions } from "./leek-subscriptions.ts";

/** What the variables of Leek's container ask an agent for. */
export interface LeekEnvironment {
  readonly events: EventsConfig;
  readonly logLevel: LogLevel | undefined;
}

const subscriptionsFile = "/opt/app/conf/subscriptions.json";
/** Where Leek's API is when it runs beside the agent. */
const localApi = "http://0.0.0.0:5000";

const levels: Readonly<Record<string, LogLevel>> = {
  NOTSET: "debug",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warn",
  WARNING: "warn",
  ERROR: "error",
  CRITICAL: "error",
  FATAL: "error",
};

/**
 * Reads Leek's environment variables; undefined when they ask for no agent. Subscriptions come from
 * `LEEK_AGENT_SUBSCRIPTIONS`, else from Leek's file. Throws CONFIG_… errors.
 */
export function readLeekEnvironment(env: NodeJS.ProcessEnv): LeekEnvironment | undefined {
  const isOn = (name: string, otherwise: boolean): boolean =>
    env[name] === undefined ? otherwise : env[name].toLowerCase() === "true";
  const text = env.LEEK_AGENT_SUBSCRIPTIONS ?? "";
  if (!isOn("LEEK_ENABLE_AGENT", text !== "")) return undefined;
  const surroundings: LeekSurroundings = {
    local: isOn("LEEK_ENABLE_API", false) ? localOf(env.LEEK_AGENT_API_SECRET) : undefined,
    organisation: isOn("LEEK_API_ENABLE_AUTH", true) ? undefined : "mono",
  };
  return {
    events:
      text === ""
        ? { subscriptions: [], subscriptions_file: subscriptionsFile, surroundings }
        : { subscriptions: parseLeekSubscriptions(text, "LEEK_AGENT_SUBSCRIPTIONS", surroundings) },
    logLevel: levelOf(env.LEEK_AGENT_LOG_LEVEL),
  };
}

function localOf(secret: string | undefined): LeekSurroundings["local"] {
  if (!secret)
    throw refused(
      "LEEK_AGENT_API_SECRET",
      "is missing: with LEEK_ENABLE_API=true it is the key of all subscriptions",
    );
  return { apiUrl: localApi, appKey: new Secret(secret) };
}

function levelOf(name: string | undefined): LogLevel | undefined {
  if (name === undefined || name === "") return undefined;
  const level = levels[name.toUpperCase()];
  if (level === undefined)
    throw refused("LEEK_AGENT_LOG_LEVEL", `"${name}" is none of ${Object.keys(levels).join(", ")}`);
  return level;
}

const refused = (variable: string, rule: string): Error =>
  serviceErrors.create("CONFIG_INVALID", { problems: `${variable}: ${rule}` });

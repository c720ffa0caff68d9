import { type LogLevel, Secret, serviceErrors, suggestionText } from "@posthouse/service";
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

/** All that Leek's container knows. */
const variables: readonly string[] = [
  ...["AGENT_SUBSCRIPTIONS", "AGENT_API_SECRET", "AGENT_LOG_LEVEL"],
  ...["ENABLE_AGENT", "ENABLE_API", "ENABLE_WEB", "ENABLE_ES", "ENABLE_DDTRACE"],
  ...["ENV", "VERSION", "RELEASE_DATE", "API_LOG_LEVEL", "API_URL", "WEB_URL"],
  ...["ES_URL", "ES_DEFAULT_REFRESH_INTERVAL", "ES_IM_ENABLE", "ES_IM_ROLLOVER_MIN_SIZE"],
  ...["ES_IM_ROLLOVER_MIN_DOC_COUNT", "ES_IM_DELETE_MIN_INDEX_AGE", "ES_IM_SLACK_WEBHOOK_URL"],
  ...["API_ENABLE_AUTH", "API_OWNER_ORG", "API_WHITELISTED_ORGS"],
  ...["FIREBASE_PROJECT_ID", "FIREBASE_APP_ID", "FIREBASE_API_KEY", "FIREBASE_AUTH_DOMAIN"],
  ...["CREATE_APP_IF_NOT_EXIST", "DISABLE_FANOUT_TRIGGERS", "CONTROL_EXCHANGE_NAME"],
].map((name) => `LEEK_${name}`);

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

/** What of Leek's variables is not as somebody may have meant it: each begins with the variable. */
export function doubtfulLeekVariables(env: NodeJS.ProcessEnv): string[] {
  const doubts = Object.keys(env)
    .filter((name) => name.startsWith("LEEK_") && !variables.includes(name))
    .map((name) => `${name} is none of Leek's variables${suggestionText(name, variables)}`);
  for (const name of ["LEEK_ENABLE_AGENT", "LEEK_ENABLE_API", "LEEK_API_ENABLE_AUTH"]) {
    const value = env[name];
    if (value !== undefined && !/^(true|false)$/i.test(value))
      doubts.push(`${name} is "${value}", which Leek takes for false: only true is true`);
  }
  if (/^false$/i.test(env.LEEK_ENABLE_AGENT ?? "") && env.LEEK_AGENT_SUBSCRIPTIONS)
    doubts.push("LEEK_ENABLE_AGENT is false: LEEK_AGENT_SUBSCRIPTIONS is not used");
  if (env.LEEK_AGENT_SUBSCRIPTIONS === "") doubts.push("LEEK_AGENT_SUBSCRIPTIONS is empty");
  if (/^\s*\[\s*\]\s*$/.test(env.LEEK_AGENT_SUBSCRIPTIONS ?? ""))
    doubts.push("LEEK_AGENT_SUBSCRIPTIONS is a list of none: no events are received until one is added");
  return doubts;
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

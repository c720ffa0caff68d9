/**
 * From FeatBit Agent's settings to our configuration. They are checked in FeatBit's order and mean what they mean there;
 * what has no meaning here is told.
 */
import { agentConfigSchema } from "@posthouse/agent";
import { isPosthouseError } from "@posthouse/protocol";
import { parseConfig } from "@posthouse/service";
import { stringify } from "yaml";
import { commandErrors } from "../errors.ts";
import type { FeatbitSetting, FeatbitSettings } from "./featbit-settings.ts";
import { readUrls } from "./featbit-urls.ts";

export interface FeatbitRequest {
  /** Where the settings come from, for what is missing: `appsettings.json`, or `environment`. */
  readonly source: string;
  /** The agent's state directory. */
  readonly state?: string | undefined;
  /** Where health, status and metrics are; without it nowhere. */
  readonly admin?: string | undefined;
  /** Tell of settings that nobody knows: not of an environment, which is full of them. */
  readonly isStrict?: boolean;
}

export interface ConvertedFeatbit {
  /** An agent's configuration, as YAML. It holds the key. */
  readonly yaml: string;
  /** `place  Setting: what is different`. */
  readonly warnings: readonly string[];
}

const levels: Readonly<Record<string, string>> = {
  trace: "debug",
  debug: "debug",
  information: "info",
  warning: "warn",
  error: "error",
  critical: "error",
  none: "silent",
};

/** The settings that no other program has: with one of them, FeatBit Agent is meant. */
const telling = ["apikey", "agentid", "streaminguri", "eventuri", "forwardevents"];

export const areFeatbitSettings = (settings: FeatbitSettings): boolean =>
  telling.some((name) => settings.has(name));

/** Throws CONVERT_INVALID with every problem, in the order in which FeatBit Agent checks. */
export function convertFeatbit(settings: FeatbitSettings, request: FeatbitRequest): ConvertedFeatbit {
  const problems: string[] = [];
  const warnings: string[] = [];
  const find = (name: string): FeatbitSetting | undefined => settings.get(name.toLowerCase());
  const textOf = (name: string): string => find(name)?.value.trim() ?? "";
  const tell = (list: string[], name: string, message: string): void => {
    const setting = find(name);
    list.push(`${setting?.place ?? request.source}  ${setting?.name ?? name}: ${message}`);
  };
  const refuse = (name: string, message: string): void => tell(problems, name, message);
  const warn = (name: string, message: string): void => tell(warnings, name, message);

  function readUri(name: string, schemes: readonly string[], where: string): string | undefined {
    const text = textOf(name);
    if (text === "") refuse(name, `is missing; it is wanted ${where}`);
    else if (!URL.canParse(text)) refuse(name, `"${text}" is no absolute URI`);
    else if (!schemes.includes(new URL(text).protocol.slice(0, -1)))
      refuse(name, `"${text}": expected a URI with ${schemes.join(", ")}`);
    else return text;
    return undefined;
  }

  function readBoolean(name: string, byDefault: boolean): boolean {
    const text = textOf(name).toLowerCase();
    if (find(name) === undefined || text === "true" || text === "false")
      return find(name) === undefined ? byDefault : text === "true";
    refuse(name, `"${textOf(name)}" is neither true nor false`);
    return byDefault;
  }

  const mode = find("Mode")?.value ?? "auto";
  if (mode !== "auto" && mode !== "manual")
    refuse("Mode", `"${mode}" is neither auto nor manual, letter by letter`);
  if (textOf("ApiKey") === "") refuse("ApiKey", "is missing; it is the relay proxy's key, rp-...");
  const isAuto = mode !== "manual";
  if (isAuto && textOf("AgentId") === "") refuse("AgentId", "is missing; it is wanted in mode auto");
  const streaming = isAuto
    ? readUri("StreamingUri", ["ws", "wss", "http", "https"], "in mode auto")
    : undefined;
  if (!isAuto && textOf("StreamingUri") !== "") warn("StreamingUri", "is not used in mode manual");
  const isForwarding = readBoolean("ForwardEvents", true);
  const eventUri = isForwarding
    ? readUri("EventUri", ["http", "https"], "unless ForwardEvents is false")
    : undefined;

  const seconds = textOf("Streaming:TokenExpirySeconds");
  if (seconds !== "" && !/^\d{1,6}$/.test(seconds))
    refuse("Streaming:TokenExpirySeconds", `"${seconds}" is no number of seconds`);
  const { listen, findings } = readUrls(settings);
  for (const { name, isError, message } of findings) (isError ? refuse : warn)(name, message);
  const level = textOf("Logging:LogLevel:Default").toLowerCase();
  if (level !== "" && levels[level] === undefined)
    refuse("Logging:LogLevel:Default", `"${level}" is none of .NET's levels`);
  if (readBoolean("Streaming:TrackClientHostName", false))
    warn("Streaming:TrackClientHostName", "the names of SDKs' machines are not looked up");
  for (const [name, setting] of settings) noteOther(name, setting);

  function noteOther(name: string, setting: FeatbitSetting): void {
    if (/^streaming:supported(versions|types)(:|$)/.test(name))
      warn(
        name,
        "has no meaning here: all types and versions of SDKs are accepted, and relay proxies with flags.relay_keys",
      );
    else if (name === "allowedhosts" && setting.value !== "*")
      warn(name, "has no meaning here: requests are not chosen by their host");
    else if (request.isStrict && name.startsWith("logging:") && name !== "logging:loglevel:default")
      warn(name, "has no meaning here: it is for a part of .NET; Logging:LogLevel:Default counts");
    else if (request.isStrict && !known.test(name))
      warn(name, "is not known, neither to FeatBit Agent nor here");
  }

  const config = {
    state: literal(request.state ?? "./state"),
    ...(request.admin === undefined ? {} : { admin: { listen: request.admin } }),
    ...(level === "" ? {} : { log: { level: levels[level] } }),
    flags: {
      listen,
      mode,
      ...(streaming === undefined ? {} : { streaming_uri: literal(streaming) }),
      api_key: literal(textOf("ApiKey")),
      ...(isAuto ? { agent_id: literal(textOf("AgentId")) } : {}),
      ...(seconds === "" ? {} : { token_tolerance: `${seconds}s` }),
      insights: eventUri === undefined ? { mode: "drop" } : { mode: "forward", event_uri: literal(eventUri) },
    },
  };
  const yaml = stringify(config, { lineWidth: 0 });
  if (problems.length === 0) problems.push(...refused(yaml, request.source));
  if (problems.length > 0) throw commandErrors.create("CONVERT_INVALID", { problems: problems.join("\n") });
  return { yaml, warnings };
}

const known =
  /^(mode|apikey|agentid|streaminguri|forwardevents|eventuri|urls|http_ports|https_ports|allowedhosts|environment|contentroot|streaming:(trackclienthostname|tokenexpiryseconds|supported(versions|types).*)|logging:.*)$/;

const literal = (text: string): string => text.replaceAll("${", () => "$${");

/** What our agent would not take. */
function refused(yaml: string, source: string): string[] {
  try {
    parseConfig(yaml, "", agentConfigSchema, {});
    return [];
  } catch (error) {
    if (!isPosthouseError(error)) throw error;
    return error.message.split("\n").map((line) => `${source}  ${line.replace(/^:\d+:\d+ {2}/, "")}`);
  }
}

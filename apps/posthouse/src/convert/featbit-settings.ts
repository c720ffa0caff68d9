/**
 * FeatBit Agent's settings as .NET's configuration has them: flat, with `:` between levels, names in any case, all
 * values text. Later sources win.
 */
import { commandErrors } from "../errors.ts";
import { type Path, readLocatedYaml } from "./located-yaml.ts";

export interface FeatbitSetting {
  /** As it was written: `Streaming:TokenExpirySeconds`. */
  readonly name: string;
  readonly value: string;
  /** `appsettings.json:3:5`, or `environment`. */
  readonly place: string;
}

/** By name in lower case. */
export type FeatbitSettings = ReadonlyMap<string, FeatbitSetting>;

/** The settings of an `appsettings.json`. `file` is its name for messages. Throws CONVERT_SYNTAX. */
export function settingsOfFile(text: string, file: string): FeatbitSettings {
  const read = readLocatedYaml(withoutComments(text));
  if ("fault" in read) {
    const { place, reason } = read.fault;
    throw commandErrors.create("CONVERT_SYNTAX", { where: `${file}:${place.line}:${place.column}`, reason });
  }
  const [document] = read.documents;
  const value = document?.value ?? {};
  if (document === undefined || typeof value !== "object" || Array.isArray(value))
    throw commandErrors.create("CONVERT_SYNTAX", { where: file, reason: "expected an object of settings" });
  const settings = new Map<string, FeatbitSetting>();
  const take = (here: unknown, path: Path): void => {
    if (typeof here === "object" && here !== null) {
      for (const [key, inner] of Object.entries(here)) take(inner, [...path, key]);
      return;
    }
    const name = path.join(":");
    const { line, column } = document.locate(path);
    settings.set(name.toLowerCase(), { name, value: String(here ?? ""), place: `${file}:${line}:${column}` });
  };
  take(value, []);
  return settings;
}

/**
 * The settings in environment variables: `__` stands for `:`, and host settings such as `ASPNETCORE_URLS` may have
 * their prefix, which counts less. Of `Mode` and `MODE` the first counts: the other may be another program's.
 */
export function settingsOfEnvironment(env: NodeJS.ProcessEnv): FeatbitSettings {
  const settings = new Map<string, FeatbitSetting>();
  const names = Object.keys(env).toSorted((a, b) => rank(a) - rank(b));
  for (const name of names) {
    const key = name.replace(hostPrefix, "").replaceAll("__", ":").toLowerCase();
    settings.set(key, { name, value: env[name] ?? "", place: "environment" });
  }
  return settings;
}

const hostPrefix = /^(ASPNETCORE|DOTNET)_/i;

const rank = (name: string): number => (hostPrefix.test(name) ? 0 : name === name.toUpperCase() ? 1 : 2);

/** Comments, which .NET allows in JSON, as spaces, so that all else keeps its place. */
function withoutComments(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|\/\/[^\r\n]*|\/\*[\s\S]*?\*\//g, (found) =>
    found.startsWith('"') ? found : found.replace(/[^\r\n]/g, " "),
  );
}

import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isPosthouseError, type PosthouseError } from "@posthouse/protocol";
import { type ConfigLocator, serviceErrors } from "@posthouse/service";
import type { LeekSurroundings } from "./config/events.ts";
import { readLeekFile } from "./config/leek-file.ts";
import { atPlace, placesOf } from "./config/places.ts";
import { type AgentConfig, hostsOf } from "./config/schema.ts";
import { agentErrors } from "./core/errors.ts";
import { loadCertificate, loadClientAuthorities, readAuthorities } from "./http/tls-files.ts";
import { loadErrorPage } from "./proxy/error-answers.ts";
import { readDump } from "./replica/featbit/dump-reader.ts";

/**
 * What is wrong with the files that a configuration names, each with its place, as a start would tell it. Changes
 * nothing: of an access log it asks whether it could be written.
 */
export async function checkConfigFiles(config: AgentConfig): Promise<PosthouseError[]> {
  const results = await Promise.allSettled(fileChecks(config));
  return results.flatMap((result) => {
    if (result.status === "fulfilled") return [];
    if (isPosthouseError(result.reason)) return [result.reason];
    throw result.reason;
  });
}

function* fileChecks(config: AgentConfig): Generator<Promise<unknown>> {
  const at = placesOf(config);
  for (const [name, { file }] of Object.entries(config.projects))
    if (file !== undefined) yield atPlace(at(["projects", name, "file"]), () => findRuleFile(file));
  if (config.flags?.mode === "offline" && config.flags.file !== undefined) {
    const { file, message_size } = config.flags;
    yield atPlace(at(["flags", "file"]), () => readWhole(file, message_size));
  }
  const leekFile = config.events?.subscriptions_file;
  if (leekFile !== undefined) yield checkLeekFile(leekFile, config.events?.surroundings, at);
  for (const [index, { tls, access_log }] of config.sites.entries()) {
    const path = ["sites", index];
    if (tls !== undefined) {
      const inTls: ConfigLocator = (inner) => at([...path, "tls", ...inner]);
      yield loadClientAuthorities(tls, inTls);
      for (const certificate of tls.certificates.keys()) yield loadCertificate(tls, certificate, inTls);
    }
    if (access_log !== undefined && access_log.path !== "stdout")
      yield atPlace(at([...path, "access_log", "path"]), () => findWritable(access_log.path));
  }
  for (const { host, path } of hostsOf(config)) {
    const ca = host.forward?.tls.ca;
    if (ca !== undefined) yield readAuthorities(ca, at([...path, "forward", "tls", "ca"]));
    for (const [status, file] of Object.entries(host.error_pages))
      yield atPlace(at([...path, "error_pages", status]), () => loadErrorPage(file));
  }
}

/** Its problems have places in it. */
async function checkLeekFile(
  file: string,
  surroundings: LeekSurroundings | undefined,
  at: ConfigLocator,
): Promise<void> {
  const { problems } = await atPlace(at(["events", "subscriptions_file"]), () =>
    readLeekFile(file, surroundings),
  );
  if (problems.length > 0) throw serviceErrors.create("CONFIG_INVALID", { problems: problems.join("\n") });
}

async function findRuleFile(file: string): Promise<void> {
  await access(file, constants.R_OK).catch((cause: unknown) => {
    throw agentErrors.create("FILE_NOT_READABLE", { file, reason: String(cause) }, { cause });
  });
}

async function readWhole(path: string, maxBytes: number): Promise<void> {
  const dump = await readDump({ from: "file", path, maxBytes, knownHash: undefined });
  for await (const _ of dump?.pieces() ?? []);
}

async function findWritable(file: string): Promise<void> {
  try {
    const there = await stat(file).catch(() => undefined);
    if (there?.isDirectory()) throw new Error("it is a folder");
    if (there !== undefined) await access(file, constants.W_OK);
    else await access(dirname(file), constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw agentErrors.create("ACCESS_LOG_NOT_WRITABLE", { file, reason: String(cause) }, { cause });
  }
}

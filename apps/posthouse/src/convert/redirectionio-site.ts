import { suggestionText } from "@posthouse/service";
import type { Note } from "./finding.ts";
import type { Path } from "./located-yaml.ts";
import type { RedirectionioProxy } from "./redirectionio-options.ts";

/** What redirection.io's agent trusts without being told. */
const privateNetworks = [
  ...["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
  ...["::1/128", "fd00::/8"],
];

/** Keys of a site, and the key of a proxy that each is made from. */
const origin = {
  listen: "listen",
  "hosts[0].forward": "forward",
  "hosts[0].forward.max_body": "request_body_size_limit",
  "hosts[0].forward.timeouts": "timeout",
  "hosts[0].forward.tls": "allow_invalid_certificates",
  "hosts[0].preserve_host": "preserve_host",
  "hosts[0].compress": "compress",
  "hosts[0].forwarded_for_strategy": "forwarded_for_strategy",
};

/** A proxy as a site of ours. `origins` learns which key each part was made from. */
export function convertSite(
  proxy: RedirectionioProxy,
  index: number,
  origins: Map<string, Path>,
  note: Note,
): unknown {
  const { listen, trusted_proxies: own = [], access_log: log, keep_alive: keepAlive } = proxy;
  const path: Path = ["proxies", index];
  const site = `sites[${index}]`;
  origins.set(site, path);
  for (const [ours, theirs] of Object.entries(origin)) origins.set(`${site}.${ours}`, [...path, theirs]);
  if (listen === undefined) note("error", [...path, "listen"], "is missing");

  const trusted = [...new Set([...privateNetworks, ...own])];
  for (const [ownIndex, network] of own.entries()) {
    origins.set(`${site}.trusted_proxies[${trusted.indexOf(network)}]`, [
      ...path,
      "trusted_proxies",
      ownIndex,
    ]);
  }
  const tls = certificateOf(proxy, path, note);
  return {
    ...(listen === undefined ? {} : { listen }),
    compat: "redirectionio",
    ...(tls === undefined ? {} : { tls }),
    trusted_proxies: trusted,
    ...(isSet(log, [...path, "access_log"], note) ? { access_log: { path: "stdout" } } : {}),
    ...(isSet(keepAlive?.enabled ?? true, [...path, "keep_alive", "enabled"], note)
      ? {}
      : { limits: { requests_per_connection: 1 } }),
    hosts: [hostOf(proxy, path, note)],
  };
}

function hostOf(proxy: RedirectionioProxy, path: Path, note: Note): unknown {
  const { preserve_host: preserveHost, compress } = proxy;
  const forward = forwardOf(proxy, path, note);
  return {
    ...(forward === undefined ? {} : { forward }),
    ...(preserveHost === undefined || preserveHost === false ? {} : { preserve_host: preserveHost }),
    forwarded_for_strategy: proxy.forwarded_for_strategy ?? "auto",
    ...(compress === undefined || compress === false ? {} : { compress }),
  };
}

function forwardOf(proxy: RedirectionioProxy, path: Path, note: Note): unknown {
  const { forward = "", request_body_size_limit: limit, allow_invalid_certificates: anyCertificate } = proxy;
  if (forward === "") return undefined;
  const maxBody = limit === undefined ? undefined : sizeOf(limit, [...path, "request_body_size_limit"], note);
  const timeouts = timeoutsOf(proxy.timeout);
  const settings = {
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(maxBody === undefined ? {} : { max_body: maxBody }),
    ...(anyCertificate === undefined || anyCertificate === false
      ? {}
      : { tls: { allow_invalid_certificates: anyCertificate } }),
  };
  return Object.keys(settings).length === 0 ? forward : { upstreams: [forward], ...settings };
}

/** Seconds for the whole request; our waits within it grow with them, so that none ends it earlier. */
function timeoutsOf(seconds: RedirectionioProxy["timeout"]): unknown {
  if (seconds === undefined || seconds === 0) return undefined;
  const total = `${seconds}s`;
  return typeof seconds === "number" && seconds <= 60 ? { total } : { first_byte: total, idle: total, total };
}

function certificateOf(
  { tls_cert_file: cert = "", tls_key_file: key = "" }: RedirectionioProxy,
  path: Path,
  note: Note,
) {
  if (cert === "" && key === "") return undefined;
  if (cert === "" || key === "") {
    const [given, missing] =
      cert === "" ? ["tls_key_file", "tls_cert_file"] : ["tls_cert_file", "tls_key_file"];
    note(
      "error",
      [...path, given],
      `without ${missing} redirection.io's agent listens without TLS; give both or none`,
    );
    return undefined;
  }
  return { certificates: [{ cert, key }] };
}

const units: Readonly<Record<string, string>> = {
  ...{ "": "B", B: "B", K: "KB", KB: "KB", M: "MB", MB: "MB", G: "GB", GB: "GB" },
  ...{ KI: "KiB", KIB: "KiB", MI: "MiB", MIB: "MiB", GI: "GiB", GIB: "GiB" },
};

function sizeOf(text: string, path: Path, note: Note): string | undefined {
  if (text.includes("${")) return text;
  const [, amount, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const known = units[unit.toUpperCase()];
  if (amount !== undefined && known !== undefined) return `${amount}${known}`;
  note("error", path, 'expected a size such as "200MB" or "2MiB"');
  return undefined;
}

/** Whether a switch is on that ours has in another form, so that a variable cannot decide it. */
function isSet(value: boolean | string | undefined, path: Path, note: Note): boolean {
  if (typeof value !== "string") return value === true;
  note("error", path, `write true or false: ${value} cannot decide it here, for it becomes several settings`);
  return false;
}

const levels: Readonly<Record<string, string>> = {
  ...{ trace: "debug", debug: "debug", info: "info", notice: "info", warn: "warn", warning: "warn" },
  ...{ error: "error", err: "error", critical: "error", fatal: "error", off: "silent" },
};

/** The level in our words; undefined, and noted, when there is none. */
export function convertedLogLevel(text: string, path: Path, note: Note): string | undefined {
  if (text.includes("${")) return text;
  const level = levels[text.toLowerCase()];
  if (level === undefined) {
    const known = ["debug", "info", "warn", "error", "off"];
    note(
      "error",
      path,
      `there is no level "${text}"${suggestionText(text, known) || `; known are ${known.join(", ")}`}`,
    );
  } else if (level !== text) note("warning", path, `${text} became ${level}`);
  return level;
}

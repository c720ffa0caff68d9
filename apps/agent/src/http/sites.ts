import { normaliseHost } from "./host.ts";

/** Finds what serves a host: its exact name, then the longest `*.suffix`, then `*`. Immutable. */
export interface HostTable<T> {
  find(host: string): T | undefined;
}

export interface HostEntry<T> {
  /** Empty: all other hosts. */
  readonly match: readonly string[];
  readonly value: T;
}

export interface HostTableOptions {
  /** `flecto`: choose as its Traefik middleware does. */
  readonly compat?: string | undefined;
}

const rememberedHosts = 1000;

/**
 * Makes the table of one listener. Hosts compare without case, port and final dot; with `compat: "flecto"` by the text
 * before their first colon, and nothing has a special meaning.
 */
export function createHostTable<T>(
  entries: readonly HostEntry<T>[],
  { compat }: HostTableOptions = {},
): HostTable<T> {
  return compat === "flecto" ? createFlectoHostTable(entries) : createOwnHostTable(entries);
}

/** An IPv6 address is cut to `[`, and a host that was listed with a port is never found: both as in Flecto. */
function createFlectoHostTable<T>(entries: readonly HostEntry<T>[]): HostTable<T> {
  const exact = new Map<string, T>();
  let fallback: T | undefined;
  for (const { match, value } of entries) {
    if (match.length === 0) fallback = value;
    for (const host of match) exact.set(host, value);
  }
  return { find: (host) => exact.get(host.split(":", 1)[0] ?? "") ?? fallback };
}

function createOwnHostTable<T>(entries: readonly HostEntry<T>[]): HostTable<T> {
  const exact = new Map<string, T>();
  const suffixes = new Map<string, T>();
  let fallback: T | undefined;
  for (const { match, value } of entries) {
    if (match.length === 0) fallback = value;
    for (const pattern of match) {
      const host = normaliseHost(pattern);
      if (host === "*") fallback = value;
      else if (host.startsWith("*.")) suffixes.set(host.slice(1), value);
      else exact.set(host, value);
    }
  }

  function search(host: string): T | undefined {
    const name = normaliseHost(host);
    const found = exact.get(name);
    if (found !== undefined) return found;
    for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
      const bySuffix = suffixes.get(name.slice(dot));
      if (bySuffix !== undefined) return bySuffix;
    }
    return fallback;
  }

  // Spellings seen before, so that a request costs one look-up. Bounded: clients choose what they send.
  const remembered = new Map<string, T | undefined>();
  return {
    find(host) {
      const known = remembered.get(host);
      if (known !== undefined || remembered.has(host)) return known;
      const found = search(host);
      if (remembered.size < rememberedHosts) remembered.set(host, found);
      return found;
    },
  };
}

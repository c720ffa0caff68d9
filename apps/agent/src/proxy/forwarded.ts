/**
 * What the backend is told of the client. The strategies are those of redirection.io's agent, with two corrections:
 * `Forwarded` is quoted as RFC 7239 asks, and what a peer that is no trusted proxy says of itself is left out.
 */
import { memoise } from "../core/memo.ts";
import type { ClientAddress, OwnAddress } from "../http/client-address.ts";
import {
  formatForwardedElement,
  lastElementsFirst,
  parseForwardedElement,
} from "../http/forwarded-element.ts";
import { headerLines } from "../http/header-lines.ts";
import { isHost } from "../http/host.ts";
import { canonicalIp, formatIpNode, parseIpNode } from "../http/ip-address.ts";

/**
 * `forwarded` appends to `Forwarded`; `xforwarded` appends to `X-Forwarded-For` and sets `-Proto` and `-Host` when absent;
 * `auto` does what the proxies before did, else `forwarded`; `none` adds nothing, and still drops what is not trusted.
 */
export type ForwardedStrategy = "auto" | "none" | "forwarded" | "xforwarded";

export interface ForwardingHeaders {
  /** Lines to add to the head of the request, each ended by CR LF. */
  readonly added: string;
  /** Lower-case names of the headers of the incoming request to leave out. */
  readonly dropped: ReadonlySet<string>;
}

export interface Forwarding {
  /** `peerIp` is the other end of the connection, `own` the request as it arrived. Never throws. */
  apply(
    rawHeaders: readonly string[],
    client: ClientAddress,
    peerIp: string,
    own: OwnAddress,
  ): ForwardingHeaders;
}

export interface ForwardingOptions {
  /** The name of this proxy in `by=` and X-Forwarded-By; empty: neither is written. */
  readonly by: string;
}

type Apply = Forwarding["apply"];

const remembered = 1024;
const maxElements = 100;
const written = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-by",
  "x-forwarded-port",
  "x-real-ip",
];
/** Contradict what is written, where a backend reads them instead. */
const synonyms = ["x-forwarded-scheme", "x-forwarded-ssl", "x-forwarded-server", "x-forwarded-prefix"];

/** Gateways (CGI, WSGI, PHP) read `_` as `-`; no proxy writes these, so nobody's are passed on. */
const lookalikes = [...written, ...synonyms].flatMap(underscored).filter((name) => name.includes("_"));
const untrusted: ReadonlySet<string> = new Set([...written, ...synonyms, ...lookalikes]);
const dropping = (...names: string[]): ReadonlySet<string> => new Set([...lookalikes, ...names]);

/** Forms the headers that name the client to a backend. */
export function createForwarding(strategy: ForwardedStrategy, options: ForwardingOptions): Forwarding {
  const by = options.by.replace(/[^\w.:[\]-]/g, "_");
  const nothing = {
    untrusted: { added: "", dropped: untrusted },
    trusted: { added: "", dropped: dropping() },
  };
  const strategies: Record<ForwardedStrategy, () => Apply> = {
    none: () => (_, client) => (client.trusted ? nothing.trusted : nothing.untrusted),
    forwarded: () => createForwarded(by),
    xforwarded: () => createXForwarded(by),
    auto: () => createAuto(by),
  };
  return { apply: strategies[strategy]() };
}

function createXForwarded(by: string): Apply {
  const dropped = dropping(
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    ...(by ? ["x-forwarded-by"] : []),
  );
  const forLine = memoise(remembered, (peerIp) => line("X-Forwarded-For", addressName(peerIp)));
  const rest = (scheme: string, host: string): string =>
    line("X-Forwarded-Proto", scheme) +
    (isHost(host) ? line("X-Forwarded-Host", host) : "") +
    (by ? line("X-Forwarded-By", by) : "");
  const plain = memoise(remembered, (host) => rest("http", host));
  const secure = memoise(remembered, (host) => rest("https", host));
  return (rawHeaders, client, peerIp, own) => {
    if (!client.trusted) {
      const added = forLine(peerIp) + (own.scheme === "https" ? secure : plain)(own.host);
      return { added, dropped: untrusted };
    }
    const host = joined(rawHeaders, "x-forwarded-host") || (isHost(client.host) ? client.host : "");
    const added =
      line("X-Forwarded-For", joined(rawHeaders, "x-forwarded-for", addressName(peerIp))) +
      line("X-Forwarded-Proto", joined(rawHeaders, "x-forwarded-proto") || client.scheme) +
      (host ? line("X-Forwarded-Host", host) : "") +
      (by ? line("X-Forwarded-By", joined(rawHeaders, "x-forwarded-by", by)) : "");
    return { added, dropped };
  };
}

function createForwarded(by: string): Apply {
  const dropped = dropping("forwarded");
  const ownElement = createOwnElement(by);
  return (rawHeaders, client, peerIp, own) => {
    const element = ownElement(peerIp, own);
    if (!client.trusted) return { added: `Forwarded: ${element}\r\n`, dropped: untrusted };
    const added = line("Forwarded", [...keptElements(rawHeaders), element].join(", "));
    return { added, dropped };
  };
}

function createAuto(by: string): Apply {
  const xForwarded = createXForwarded(by);
  const forwarded = createForwarded(by);
  const ownElement = createOwnElement(by);
  const dropped = dropping("forwarded", "x-forwarded-for");
  return (rawHeaders, client, peerIp, own) => {
    const addresses = client.trusted ? joined(rawHeaders, "x-forwarded-for") : "";
    if (addresses === "") return forwarded(rawHeaders, client, peerIp, own);
    const others = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-by"];
    if (others.some((name) => joined(rawHeaders, name) !== "")) {
      return xForwarded(rawHeaders, client, peerIp, own);
    }
    const elements = [...keptElements(rawHeaders), ...convertedElements(addresses), ownElement(peerIp, own)];
    return { added: line("Forwarded", elements.join(", ")), dropped };
  };
}

/** What this proxy says of the request it received: printable ASCII. */
function createOwnElement(by: string): (peerIp: string, own: OwnAddress) => string {
  const start = memoise(remembered, (peerIp) => {
    const node = parseIpNode(peerIp);
    return formatForwardedElement({
      for: node ? formatIpNode(node) : "unknown",
      ...(by && { by: proxyNode(by) }),
    });
  });
  const end = (proto: string, host: string): string =>
    `;${formatForwardedElement(isHost(host) ? { host, proto } : { proto })}`;
  const plain = memoise(remembered, (host) => end("http", host));
  const secure = memoise(remembered, (host) => end("https", host));
  return (peerIp, own) => start(peerIp) + (own.scheme === "https" ? secure : plain)(own.host);
}

/** A node identifier: an address, or a name, which RFC 7239 6.3 marks with an underscore. */
function proxyNode(by: string): string {
  const node = parseIpNode(by);
  if (node) return formatIpNode(node);
  const name = by.replace(/[^\w.-]/g, "_");
  return /^_./.test(name) ? name : `_${name}`;
}

/** The incoming elements; those left of a malformed one are not passed on, for nobody could tell where they end. */
function keptElements(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (const element of lastElementsFirst(headerLines(rawHeaders, "forwarded"), maxElements)) {
    if (parseForwardedElement(element) === undefined) break;
    kept.push(element);
  }
  return kept.reverse();
}

/** `for=` elements of a list of addresses. */
function convertedElements(addresses: string): string[] {
  return addresses
    .split(",")
    .slice(-maxElements)
    .map((address) => {
      const node = parseIpNode(address.trim());
      return formatForwardedElement({ for: node ? formatIpNode(node) : "unknown" });
    });
}

/** All values of a list header and perhaps one more, as one. */
function joined(rawHeaders: readonly string[], name: string, ...more: string[]): string {
  const values = headerLines(rawHeaders, name).filter((value) => value.trim() !== "");
  return [...values, ...more].join(", ");
}

function addressName(peerIp: string): string {
  return canonicalIp(peerIp) ?? "unknown";
}

/** Whatever is not printable ASCII becomes `?`, so that no value can end its line. */
function line(name: string, value: string): string {
  return `${name}: ${value.replace(/\t/g, " ").replace(/[^ -~]/g, "?")}\r\n`;
}

function underscored(name: string): string[] {
  const [first = "", ...rest] = name.split("-");
  return rest.reduce(
    (names, part) => names.flatMap((head) => [`${head}-${part}`, `${head}_${part}`]),
    [first],
  );
}

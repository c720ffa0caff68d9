/**
 * Who the client is: the other end of the connection, or, when that is a trusted proxy, whom its headers name. The walk
 * is the one of redirection.io's agent.
 */
import { memoise } from "../core/memo.ts";
import { lastElementsFirst, parseForwardedElement } from "./forwarded-element.ts";
import { headerLines } from "./header-lines.ts";
import { isHost } from "./host.ts";
import { canonicalIp, type IpNode, parseIpNode, unmappedIp } from "./ip-address.ts";
import { createNetworks } from "./ip-networks.ts";

export interface ClientAddress {
  /** RFC 5952, IPv4 unmapped; the peer as `resolve` was given it when that is no address. */
  readonly ip: string;
  /** Of the URL that the client asked for, lower case. */
  readonly scheme: string;
  /** Host and perhaps port that the client asked for. */
  readonly host: string;
  /** The proxy that the client reached, in its own words. */
  readonly by?: string;
  /** The client's port, when a header names it. */
  readonly port?: number;
  /** Whether the peer is a trusted proxy. */
  readonly trusted: boolean;
}

/** Scheme and host of the request as it arrived here. */
export interface OwnAddress {
  readonly scheme: "http" | "https";
  readonly host: string;
}

/** Which headers of a trusted proxy count. Switch off those that it does not write itself: it may pass on a client's. */
export interface TrustedHeaders {
  /** Default true. */
  readonly forwarded?: boolean;
  /** Default true. */
  readonly xForwardedFor?: boolean;
  readonly xForwardedHost?: boolean;
  readonly xForwardedProto?: boolean;
  readonly xForwardedBy?: boolean;
}

export interface ClientAddressResolver {
  /** `peer` as the socket gives it, or `unix`; `rawHeaders` are names and values in turn. Never throws. */
  resolve(peer: string, rawHeaders: readonly string[], own: OwnAddress): ClientAddress;
}

type Found = { -readonly [key in keyof Omit<ClientAddress, "trusted">]?: ClientAddress[key] };

type IsProxy = (ip: string) => boolean;

const maxElements = 100;
const remembered = 1024;
const schemePattern = /^[a-z][a-z\d+.-]{0,31}$/;
const proxyPattern = /^[!-~]{1,256}$/;

/** `trusted` are addresses and networks that `isNetwork` accepts; throws a TypeError for others. */
export function createClientAddress(
  trusted: readonly string[],
  headers: TrustedHeaders = {},
): ClientAddressResolver {
  const networks = createNetworks(trusted);
  if (networks.isEmpty) {
    return {
      resolve: (peer, _, { scheme, host }) => ({ ip: unmappedIp(peer), scheme, host, trusted: false }),
    };
  }
  const peers = memoise(remembered, (peer) => {
    const ip = canonicalIp(peer) ?? peer;
    return { ip, trusted: networks.has(ip) };
  });
  const isProxy = memoise(remembered, networks.has);
  return {
    resolve(peer, rawHeaders, own) {
      const known = peers(peer);
      if (!known.trusted) return { ip: known.ip, scheme: own.scheme, host: own.host, trusted: false };
      const found = readHeaders(rawHeaders, isProxy, headers);
      return { ip: known.ip, scheme: own.scheme, host: own.host, ...found, trusted: true };
    },
  };
}

function readHeaders(rawHeaders: readonly string[], isProxy: IsProxy, trust: TrustedHeaders): Found {
  const found: Found = {};
  if (trust.forwarded !== false) readForwarded(found, headerLines(rawHeaders, "forwarded"), isProxy);
  if (trust.xForwardedFor !== false && found.ip === undefined) {
    Object.assign(found, readForwardedFor(headerLines(rawHeaders, "x-forwarded-for"), isProxy));
  }
  const last = (name: string): string | undefined => headerLines(rawHeaders, name).at(-1)?.split(",").at(-1);
  if (trust.xForwardedHost) setHost(found, last("x-forwarded-host"));
  if (trust.xForwardedProto) setScheme(found, last("x-forwarded-proto"));
  if (trust.xForwardedBy) setBy(found, last("x-forwarded-by"));
  return found;
}

/**
 * The last element that no trusted proxy is the subject of. One that does not say who the client is still was written
 * by a trusted proxy: its host and scheme count, and the walk ends.
 */
function readForwarded(found: Found, lines: readonly string[], isProxy: IsProxy): void {
  for (const text of lastElementsFirst(lines, maxElements)) {
    const element = parseForwardedElement(text);
    if (element === undefined) return;
    const node = parseIpNode(element.for ?? "");
    if (node !== undefined && isProxy(node.ip)) continue;
    Object.assign(found, node);
    setHost(found, element.host);
    setScheme(found, element.proto);
    setBy(found, element.by);
    return;
  }
}

function readForwardedFor(lines: readonly string[], isProxy: IsProxy): IpNode | undefined {
  let seen = 0;
  for (const line of lines.toReversed()) {
    for (let end = line.length; end >= 0; ) {
      const start = end === 0 ? 0 : line.lastIndexOf(",", end - 1) + 1;
      if (++seen > maxElements) return undefined;
      const text = line.slice(start, end).trim();
      const node = parseIpNode(text);
      if (node === undefined && text !== "") return undefined;
      if (node !== undefined && !isProxy(node.ip)) return node;
      end = start - 1;
    }
  }
  return undefined;
}

function setHost(found: Found, value = ""): void {
  const host = value.trim();
  if (found.host === undefined && isHost(host)) found.host = host;
}

function setScheme(found: Found, value = ""): void {
  const scheme = value.trim().toLowerCase();
  if (found.scheme === undefined && schemePattern.test(scheme)) found.scheme = scheme;
}

function setBy(found: Found, value = ""): void {
  const by = value.trim();
  if (found.by === undefined && proxyPattern.test(by)) found.by = by;
}

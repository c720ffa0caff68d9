import { isIP } from "node:net";
import ipaddr, { type IPv4, type IPv6 } from "ipaddr.js";

export interface IpNetworks {
  readonly isEmpty: boolean;
  /** Whether the networks hold a peer: an address as `canonicalIp` writes it, or `unix`. */
  has(peer: string): boolean;
}

type Network = readonly [IPv4 | IPv6, bits: number];

/** The peers whose connections arrive on a unix socket. */
const unix = "unix";

/**
 * True for an address, a network in CIDR notation, of IPv4 or IPv6, and for `unix`, which stands for whoever connects to
 * a unix socket. Bits after the prefix may be set.
 */
export function isNetwork(text: string): boolean {
  return text === unix || parseNetwork(text) !== undefined;
}

/** A set of networks. Throws a TypeError for a text that is none (`isNetwork`). */
export function createNetworks(texts: readonly string[]): IpNetworks {
  const addresses = texts.filter((text) => text !== unix);
  const networks = addresses.map((text) => {
    const network = parseNetwork(text);
    if (network === undefined) throw new TypeError(`${JSON.stringify(text)} is no address and no network`);
    return network;
  });
  return {
    isEmpty: texts.length === 0,
    has(peer) {
      if (isIP(peer) === 0) return peer === unix && texts.includes(unix);
      const address = ipaddr.parse(peer);
      return networks.some(
        ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
      );
    },
  };
}

function parseNetwork(text: string): Network | undefined {
  const [, address = "", prefix] = /^([\d.]+|[\dA-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const bits = Number(prefix ?? most);
  if (family === 0 || bits > most) return undefined;
  const parsed = ipaddr.parse(address);
  // Peers are unmapped before they are looked up, so networks of mapped addresses are unmapped, too.
  return bits >= 96 && "isIPv4MappedAddress" in parsed && parsed.isIPv4MappedAddress()
    ? [parsed.toIPv4Address(), bits - 96]
    : [parsed, bits];
}

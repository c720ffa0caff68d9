import { isIP, isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";

/** An address and perhaps a port, as `Forwarded` and `X-Forwarded-For` name the two ends of a connection. */
export interface IpNode {
  /** As `canonicalIp` writes it. */
  readonly ip: string;
  readonly port?: number;
}

const nodePattern = /^(?:\[([^\]]*)\]|([\d.]+))(?::(\d{1,5}|_[\w.-]+))?$/;
const mappedPrefix = "::ffff:";

/** The one way an address is written here: RFC 5952, without zone, an IPv4 address mapped into IPv6 as IPv4. */
export function canonicalIp(text: string): string | undefined {
  const family = isIP(text);
  if (family !== 6) return family === 4 ? text : undefined;
  const unmapped = unmappedIp(text);
  return isIPv4(unmapped) ? unmapped : ipaddr.process(unmapped).toString();
}

/** An address of a socket in its canonical form, at the cost of a look: the kernel writes RFC 5952. */
export function unmappedIp(address: string): string {
  const zone = address.indexOf("%");
  const ip = zone < 0 ? address : address.slice(0, zone);
  return ip.startsWith(mappedPrefix) && ip.includes(".") ? ip.slice(mappedPrefix.length) : ip;
}

/** `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]:80`; a hidden port (`:_x`) is left out. Else undefined. */
export function parseIpNode(text: string): IpNode | undefined {
  const [, bracketed, dotted, port = "_"] = nodePattern.exec(text) ?? [];
  if (bracketed !== undefined && !bracketed.includes(":")) return undefined;
  const ip = canonicalIp(bracketed ?? dotted ?? text);
  if (ip === undefined || port.startsWith("_")) return ip === undefined ? undefined : { ip };
  return Number(port) > 65_535 ? undefined : { ip, port: Number(port) };
}

/** The node identifier of RFC 7239 for an address: IPv6 stands in brackets. */
export function formatIpNode({ ip, port }: IpNode): string {
  const address = ip.includes(":") ? `[${ip}]` : ip;
  return port === undefined ? address : `${address}:${port}`;
}

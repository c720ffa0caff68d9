const hostPattern = /^(?:\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/;

/** True when a text can stand in a Host header: a name or an address, and perhaps a port (RFC 3986). */
export function isHost(text: string): boolean {
  return hostPattern.test(text);
}

/** A host as sites are looked up by it: without port and final dot, lower case. */
export function normaliseHost(host: string): string {
  return host.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
}

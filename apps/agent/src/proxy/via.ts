/** The Via of requests: by what name an agent stands in it, and when a request has come too far (RFC 9110, 7.6.3). */
import { randomBytes } from "node:crypto";

/** A request may pass the same agent this often, as when a cache stands between two sites of one agent. */
const maxPasses = 3;
/** However many agents there are: a circle through a load balancer meets another one each time. */
const maxHops = 32;

/** The pseudonym of one agent: another one for each, so that agents in a row are not taken for a circle. */
export function createViaName(): string {
  return `posthouse-${randomBytes(4).toString("hex")}`;
}

/** Whether a request goes in circles, as far as its Via tells. */
export function isCircling(rawHeaders: readonly string[], name: string): boolean {
  let passes = 0;
  let hops = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const header = rawHeaders[index];
    if (header?.length !== 3 || header.toLowerCase() !== "via") continue;
    for (const element of rawHeaders[index + 1]?.split(",") ?? []) {
      hops++;
      if (
        element
          .trim()
          .split(/[ \t]+/, 2)[1]
          ?.toLowerCase() === name
      )
        passes++;
    }
  }
  return passes >= maxPasses || hops >= maxHops;
}

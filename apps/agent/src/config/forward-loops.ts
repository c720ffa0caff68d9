import { hostname, networkInterfaces } from "node:os";
import type { ListenAddress } from "@posthouse/service";
import type { CrossProblem, SiteConfig } from "./schema.ts";

/** Forwards that would come back to a site of the same agent: no backend stands at the end of such a way. */
export function* forwardLoops(sites: readonly SiteConfig[]): Generator<CrossProblem> {
  const own = ownNames();
  for (const [site, { hosts }] of sites.entries()) {
    for (const [host, { forward }] of hosts.entries()) {
      for (const [upstream, url] of (forward?.upstreams ?? []).entries()) {
        const target = sites.findIndex(({ listen }) => reaches(url, listen, own));
        if (target === -1) continue;
        yield {
          path: ["sites", site, "hosts", host, "forward", "upstreams", upstream],
          message: `${url} is sites[${target}] itself: a request would go in circles`,
        };
      }
    }
  }
}

function reaches(url: string, listen: ListenAddress, own: ReadonlySet<string>): boolean {
  if (url.startsWith("unix:")) return url.slice("unix:".length) === listen.path;
  if (listen.port === 0 || !URL.canParse(url)) return false;
  const { protocol, hostname: name, port } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") return false;
  if (Number(port || (protocol === "https:" ? 443 : 80)) !== listen.port) return false;
  const host = bare(name);
  const at = bare(listen.host);
  if (host === at) return true;
  if (isAny(at)) return isAny(host) || isLoopback(host) || own.has(host);
  return isLoopback(at) && (host === "localhost" || isAny(host));
}

const bare = (host: string): string => host.replace(/^\[|\]$/g, "").toLowerCase();
const isAny = (host: string): boolean => ["", "*", "0.0.0.0", "::"].includes(host);
const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(?:\.\d+){3}$/.test(host) || /^::ffff:7f/.test(host);

function ownNames(): ReadonlySet<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set([...addresses.map(({ address }) => address.toLowerCase()), hostname().toLowerCase()]);
}

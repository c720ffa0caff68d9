import { isIP } from "node:net";
import { formatListen, type ListenAddress } from "@posthouse/service";
import { canonicalIp } from "../http/ip-address.ts";
import type { AgentConfig, CrossProblem } from "./schema.ts";

interface Listener {
  /** What of the configuration it is of. */
  readonly by: string;
  readonly path: readonly PropertyKey[];
  readonly listen: ListenAddress;
}

/** Addresses of which a start could take one only: the same, or one that stands for all of the machine and one of these. */
export function* listenProblems(config: AgentConfig): Generator<CrossProblem> {
  const taken: Listener[] = [];
  for (const listener of listenersOf(config)) {
    const { path, listen } = listener;
    const other = taken.find((one) => collide(one.listen, listen));
    if (other !== undefined) {
      const [mine, theirs] = [formatListen(listen), formatListen(other.listen)];
      const message =
        mine === theirs
          ? `${other.by} listens on ${mine} already`
          : `${other.by} listens on ${theirs}, which takes ${mine} too`;
      yield { path, message };
    }
    taken.push(listener);
  }
}

function* listenersOf({ admin, sites, flags }: AgentConfig): Generator<Listener> {
  if (admin) yield { by: "admin", path: ["admin", "listen"], listen: admin.listen };
  for (const [index, { listen }] of sites.entries())
    yield { by: `sites[${index}]`, path: ["sites", index, "listen"], listen };
  if (flags) yield { by: "flags", path: ["flags", "listen"], listen: flags.listen };
}

function collide(one: ListenAddress, other: ListenAddress): boolean {
  if (one.path !== undefined || other.path !== undefined) return one.path === other.path;
  if (one.port !== other.port || one.port === 0) return false;
  const [a, b] = [canonical(one.host), canonical(other.host)];
  return a === b || covers(a, b) || covers(b, a);
}

const canonical = (host: string): string =>
  host === "" || canonicalIp(host) === "::" ? "::" : (canonicalIp(host) ?? host.toLowerCase());

/** `::` takes IPv4 too. What a name stands for is known to the resolver only, but it is some address. */
const covers = (any: string, host: string): boolean =>
  any === "::" || (any === "0.0.0.0" && (isIP(host) === 4 || host === "::"));

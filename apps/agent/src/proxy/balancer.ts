import type { Upstream } from "./upstream.ts";

export type Balance = "round_robin" | "least_connections" | "hash";

/** Chooses the upstream of a request. */
export interface Balancer {
  /** `key` is what `hash` goes by. `tried` are passed over; undefined when nothing is left. */
  pick(key: string, tried?: ReadonlySet<Upstream>): Upstream | undefined;
}

/** An upstream that is left alone or unhealthy is asked only when all are. */
export function createBalancer(upstreams: readonly Upstream[], balance: Balance): Balancer {
  const only = upstreams.length === 1 ? upstreams[0] : undefined;
  let turn = 0;

  function choose(candidates: readonly Upstream[], key: string): Upstream | undefined {
    switch (balance) {
      case "round_robin":
        return candidates[turn % candidates.length];
      case "least_connections":
        return candidates
          .map((_, index) => candidates[(index + turn) % candidates.length] as Upstream)
          .reduce((least, each) => (each.pool.active < least.pool.active ? each : least));
      case "hash":
        return rendezvous(candidates, key);
    }
  }

  return {
    pick(key, tried) {
      if (only !== undefined) return tried?.has(only) === true ? undefined : only;
      // A second attempt takes nobody's turn.
      if (tried === undefined) turn = (turn + 1) % 0x3fff_ffff;
      const left = tried === undefined ? upstreams : upstreams.filter((upstream) => !tried.has(upstream));
      if (left.length === 0) return undefined;
      const now = performance.now();
      const available = left.filter((upstream) => upstream.isAvailable(now));
      return choose(available.length > 0 ? available : left, key);
    },
  };
}

/** Highest random weight: when one upstream goes, only its keys move. */
function rendezvous(candidates: readonly Upstream[], key: string): Upstream | undefined {
  let best: Upstream | undefined;
  let highest = -1;
  for (const candidate of candidates) {
    const weight = hash(`${candidate.address.text} ${key}`);
    if (weight > highest) {
      best = candidate;
      highest = weight;
    }
  }
  return best;
}

/** FNV-1a with a final mix; 32 bits, unsigned. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x0100_0193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x45d9_f3b);
  return (value ^ (value >>> 16)) >>> 0;
}

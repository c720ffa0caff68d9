/** Agents that have their flags from this one: which keys they may carry, and what they said of themselves. */

import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { RelayKeyConfig } from "../config/flags.ts";

export interface RelayAccess {
  /** Replaced when the configuration changes. */
  keys: readonly RelayKeyConfig[];
  /** It takes the same time whatever of the key is right. */
  find(key: string): RelayScope | undefined;
  /** Whether this scope, once found, is still that of its key. */
  holds(scope: RelayScope): boolean;
  register(agentId: string): void;
  report(agentId: string, status: unknown): void;
  agents(): Readonly<Record<string, RelayAgent>>;
}

export interface RelayScope {
  /** `project:environment`, or ids; undefined: all. */
  readonly environments?: readonly string[] | undefined;
}

export interface RelayAgent {
  readonly registeredAt: Date;
  readonly reportedAt?: Date;
  /** As it came. */
  readonly status?: unknown;
}

/** The longest unseen are forgotten. */
const rememberedAgents = 1000;

export function createRelayAccess(keys: readonly RelayKeyConfig[]): RelayAccess {
  const agents = new Map<string, RelayAgent>();
  let scopes = index(keys);
  let current = keys;

  function remember(agentId: string, agent: RelayAgent): void {
    agents.delete(agentId);
    const [oldest] = agents.keys();
    if (agents.size >= rememberedAgents && oldest !== undefined) agents.delete(oldest);
    agents.set(agentId, agent);
  }

  return {
    get keys() {
      return current;
    },
    set keys(next) {
      current = next;
      scopes = index(next, scopes);
    },
    find: (key) => scopes.get(digest(key)),
    holds: (scope) => [...scopes.values()].includes(scope),
    register: (agentId) => remember(agentId, { registeredAt: new Date(), ...agents.get(agentId) }),
    report: (agentId, status) => {
      const at = new Date();
      remember(agentId, { registeredAt: at, ...agents.get(agentId), reportedAt: at, status });
    },
    agents: () => Object.fromEntries(agents),
  };
}

const digest = (key: string): string => createHash("sha256").update(key).digest("base64");

/** A key whose environments are those of before keeps its scope. */
function index(
  keys: readonly RelayKeyConfig[],
  before: ReadonlyMap<string, RelayScope> = new Map(),
): ReadonlyMap<string, RelayScope> {
  return new Map(
    keys.map(({ key, environments }) => {
      const name = digest(key.reveal());
      const known = before.get(name);
      const isSame = known !== undefined && isDeepStrictEqual(known.environments, environments);
      return [name, isSame ? known : { environments }];
    }),
  );
}

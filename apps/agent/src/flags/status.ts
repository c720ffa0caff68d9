import type { FlagSource } from "../replica/featbit/flag-source.ts";
import type { RelayAgent } from "./relay-access.ts";
import type { Session } from "./session.ts";
import type { SessionKind } from "./topic.ts";

interface Served {
  readonly sessions: Iterable<Session>;
  agents(): Readonly<Record<string, RelayAgent>>;
}

const firstProblems = 20;

/** The flags in `/status`: what is served to how many, from where, and how old it is. Holds no secrets. */
export function describeFlags({ status }: Pick<FlagSource, "status">, { sessions, agents }: Served): object {
  const counts = new Map<string, Record<SessionKind, number>>();
  for (const { topic } of sessions) {
    const count = counts.get(topic.name) ?? { server: 0, client: 0, relay: 0 };
    count[topic.kind]++;
    counts.set(topic.name, count);
  }
  const { environments, problems, syncedAt, ...source } = status;
  return {
    ...source,
    syncedAt,
    ageSeconds: syncedAt && Math.round((Date.now() - syncedAt.getTime()) / 1000),
    environments: environments.map((each) => ({
      ...each,
      sessions: counts.get(each.name) ?? { server: 0, client: 0, relay: 0 },
    })),
    relays: [...counts].flatMap(([name, { relay }]) => (relay > 0 ? [{ scope: name, sessions: relay }] : [])),
    agents: agents(),
    problems: problems.length,
    firstProblems: problems.slice(0, firstProblems),
  };
}

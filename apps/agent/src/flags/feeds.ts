/** The feeds of all environments, kept in step with the store. */
import type { Tallies } from "../core/metrics.ts";
import type { FlagState } from "../replica/featbit/flag-state.ts";
import type { FlagStore } from "../replica/featbit/flag-store.ts";
import { EnvironmentFeed } from "./environment-feed.ts";

export interface Feeds {
  /** Of the last change of any environment. */
  readonly number: number;
  /** `envId` in any case. */
  of(envId: string): EnvironmentFeed;
  /** What changed, after the feeds have it. */
  onChange(listener: (change: FeedsChange) => void): void;
  /** Listens to the store no more. */
  close(): void;
}

export interface FeedsChange {
  readonly environments: ReadonlySet<string>;
  readonly state: FlagState;
}

export function createFeeds(store: FlagStore, evaluations: Tallies): Feeds {
  const feeds = new Map<string, EnvironmentFeed>();
  const listeners: ((change: FeedsChange) => void)[] = [];
  let number = 0;
  const close = store.onChange((changes, state) => {
    number++;
    const environments = new Set<string>();
    for (const { environment, kind } of changes) {
      if (feeds.get(environment)?.change(state, number, kind) === true) environments.add(environment);
    }
    for (const listener of listeners) listener({ environments, state });
  });

  return {
    get number() {
      return number;
    },
    of(envId) {
      const id = envId.toLowerCase();
      const known = feeds.get(id);
      if (known !== undefined) return known;
      const tally = evaluations.with({ environment: environmentName(store.state, id) });
      const feed = new EnvironmentFeed(id, store.state, tally);
      feeds.set(id, feed);
      return feed;
    },
    onChange: (listener) => void listeners.push(listener),
    close,
  };
}

/** `project:environment` as people know it; the id of one without a key. */
export function environmentName({ environments }: FlagState, id: string): string {
  const [secret] = environments.get(id)?.secrets ?? [];
  return secret === undefined ? id : `${secret.projectKey}:${secret.envKey}`;
}

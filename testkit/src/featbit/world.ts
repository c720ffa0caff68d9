/** A FeatBit workspace: environments, their flags, segments and secrets, and who may see which. */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { writeTime } from "./dotnet-json.ts";
import { createRelayKey, createSecret } from "./secrets.ts";
import type { Dump, DumpItem, Flag, Secret, Segment } from "./shapes.ts";
import { EnvironmentTruth, type ItemKind } from "./truth.ts";

export interface Environment {
  readonly envId: string;
  readonly projectKey: string;
  readonly envKey: string;
  readonly secrets: readonly Secret[];
  /** In the order in which they were added. */
  readonly flags: ReadonlyMap<string, Flag>;
  readonly segments: ReadonlyMap<string, Segment>;
}

interface StoredEnvironment extends Environment {
  secrets: Secret[];
  readonly flags: Map<string, Flag>;
  readonly segments: Map<string, Segment>;
  readonly truth: EnvironmentTruth;
}

export interface EnvironmentOptions {
  readonly envId?: string;
  readonly projectKey?: string;
  readonly envKey?: string;
  /** How many of each are made; one by default. */
  readonly serverSecrets?: number;
  readonly clientSecrets?: number;
  readonly flags?: readonly Flag[];
  readonly segments?: readonly Segment[];
}

/** The flags and segments of one environment that changed after a moment. */
export interface Changes {
  readonly featureFlags: readonly Flag[];
  readonly segments: readonly Segment[];
}

type Publish = (envId: string, kind: ItemKind, item: Flag | Segment) => void;

const inSegment = ["User is in segment", "User is not in segment"];

export const timestampOf = (item: { readonly updatedAt: string }): number => Date.parse(item.updatedAt);

export class FeatbitWorld {
  readonly #environments: Map<string, StoredEnvironment> = new Map();
  readonly #scopes: Map<string, readonly string[]> = new Map();
  readonly #publish: Publish;
  #moment = 0;
  #lastMs = 0;

  constructor(publish: Publish = () => {}) {
    this.#publish = publish;
  }

  addEnvironment(options: EnvironmentOptions = {}): Environment {
    const { envId = randomUUID(), projectKey = "webapp", serverSecrets = 1, clientSecrets = 1 } = options;
    const envKey = options.envKey ?? `env-${this.#environments.size + 1}`;
    const [flags, segments] = [new Map<string, Flag>(), new Map<string, Segment>()];
    const truth = new EnvironmentTruth();
    this.#environments.set(envId, { envId, projectKey, envKey, secrets: [], flags, segments, truth });
    for (let i = 0; i < serverSecrets; i++) this.addSecret(envId, "server");
    for (let i = 0; i < clientSecrets; i++) this.addSecret(envId, "client");
    for (const segment of options.segments ?? []) this.#store(envId, "segment", { ...segment, envId });
    for (const flag of options.flags ?? []) this.#store(envId, "flag", { ...flag, envId });
    return this.environment(envId);
  }

  /** Environments, secrets and items of a dump, as they stand there; returns the environments' ids. */
  load(dump: Dump): string[] {
    for (const { envId, secrets, featureFlags, segments } of dump.items) {
      const { projectKey = "webapp", envKey = "prod" } = secrets[0] ?? {};
      const none = { serverSecrets: 0, clientSecrets: 0 };
      this.addEnvironment({ envId, projectKey, envKey, ...none, flags: featureFlags, segments });
      for (const { type, value } of secrets) this.addSecret(envId, type, value);
    }
    return dump.items.map(({ envId }) => envId);
  }

  environment(envId: string): Environment {
    return this.#stored(envId);
  }

  #stored(envId: string): StoredEnvironment {
    const environment = this.#environments.get(envId);
    if (environment === undefined) throw new Error(`there is no environment ${envId}`);
    return environment;
  }

  /** Nobody is told; the environment leaves every scope. */
  removeEnvironment(envId: string): void {
    for (const [key, scope] of this.#scopes)
      this.#scopes.set(
        key,
        scope.filter((id) => id !== envId),
      );
  }

  /** Nobody is told. */
  addSecret(envId: string, type: Secret["type"], value: string = createSecret(envId)): Secret {
    const environment = this.#stored(envId);
    const { projectKey, envKey } = environment;
    const secret: Secret = { type, projectKey, envId, envKey, value };
    environment.secrets.push(secret);
    environment.truth.recordSecret(secret);
    return secret;
  }

  /** Nobody is told. */
  removeSecret(value: string): void {
    for (const environment of this.#environments.values()) {
      environment.secrets = environment.secrets.filter((secret) => secret.value !== value);
    }
  }

  findSecret(value: string): Secret | undefined {
    for (const { secrets } of this.#environments.values()) {
      const found = secrets.find((secret) => secret.value === value);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** A relay-proxy key that sees these environments; all there are now, unless told. */
  addRelayKey(
    scope: readonly string[] = [...this.#environments.keys()],
    key: string = createRelayKey(),
  ): string {
    this.#scopes.set(key, [...scope]);
    return key;
  }

  removeRelayKey(key: string): void {
    this.#scopes.delete(key);
  }

  hasRelayKey(key: string): boolean {
    return this.#scopes.has(key);
  }

  /** Nobody is told. */
  setScope(key: string, scope: readonly string[]): void {
    this.#scopes.set(key, [...scope]);
  }

  scopeOf(key: string): Environment[] {
    return (this.#scopes.get(key) ?? []).map((envId) => this.#stored(envId));
  }

  /** A new time, later than any before, unless one is given. */
  #time(given: string | undefined): string {
    this.#lastMs = Math.max(Date.now(), this.#lastMs + 1);
    return given ?? writeTime(this.#lastMs, (this.#lastMs * 7919) % 10_000);
  }

  #store(envId: string, kind: ItemKind, item: Flag | Segment, isUntold: boolean = false): void {
    const environment = this.#stored(envId);
    const items: Map<string, Flag | Segment> = kind === "flag" ? environment.flags : environment.segments;
    items.set(item.id, item);
    environment.truth.record(kind, item, this.#moment, isUntold);
  }

  /** Adds or replaces a flag and pushes it. Its time becomes now, or `updatedAt`. Returns what was stored. */
  setFlag(envId: string, flag: Flag, updatedAt?: string): Flag {
    this.#moment++;
    const stored = { ...flag, envId, updatedAt: this.#time(updatedAt) };
    this.#store(envId, "flag", stored);
    this.#publish(envId, "flag", stored);
    return stored;
  }

  /** Changes fields of a flag, found by its key or id, and pushes it. */
  patchFlag(envId: string, name: string, fields: Partial<Flag>, updatedAt?: string): Flag {
    return this.setFlag(envId, { ...this.flag(envId, name), ...fields }, updatedAt);
  }

  flag(envId: string, name: string): Flag {
    const { flags } = this.#stored(envId);
    const found = flags.get(name) ?? [...flags.values()].find(({ key }) => key === name);
    if (found === undefined) throw new Error(`there is no flag ${name}`);
    return found;
  }

  archiveFlag(envId: string, name: string): Flag {
    return this.patchFlag(envId, name, { isArchived: true });
  }

  /** Nobody is told. */
  deleteFlag(envId: string, name: string): void {
    const { id } = this.flag(envId, name);
    this.#moment++;
    const environment = this.#stored(envId);
    environment.flags.delete(id);
    environment.truth.recordDeletion("flag", id, this.#moment);
  }

  /**
   * Adds or replaces a segment and pushes it. When whom it matches changes, the flags that refer to it get its time
   * too, and nobody is told of that (section 3.9 of FeatBit's behaviour: the timestamp hole).
   */
  setSegment(envId: string, segment: Segment, updatedAt?: string): Segment {
    this.#moment++;
    const before = this.#stored(envId).segments.get(segment.id);
    const stored = { ...segment, envId, updatedAt: this.#time(updatedAt) };
    this.#store(envId, "segment", stored);
    const matching = ({ included, excluded, rules }: Segment): unknown => [included, excluded, rules];
    if (before === undefined || !isDeepStrictEqual(matching(before), matching(stored))) {
      for (const flag of this.flagsWith(envId, segment.id)) {
        this.#store(envId, "flag", { ...flag, updatedAt: stored.updatedAt }, true);
      }
    }
    this.#publish(envId, "segment", stored);
    return stored;
  }

  patchSegment(envId: string, id: string, fields: Partial<Segment>, updatedAt?: string): Segment {
    const segment = this.#stored(envId).segments.get(id);
    if (segment === undefined) throw new Error(`there is no segment ${id}`);
    return this.setSegment(envId, { ...segment, ...fields }, updatedAt);
  }

  /** The flags whose rules refer to a segment. */
  flagsWith(envId: string, segmentId: string): Flag[] {
    return [...this.#stored(envId).flags.values()].filter(({ rules }) =>
      rules.some(({ conditions }) =>
        conditions.some(({ property, value }) => inSegment.includes(property) && value.includes(segmentId)),
      ),
    );
  }

  changesSince(envId: string, timestamp: number): Changes {
    const { flags, segments } = this.#stored(envId);
    const isNewer = (item: Flag | Segment): boolean => timestampOf(item) > timestamp;
    return {
      featureFlags: [...flags.values()].filter(isNewer),
      segments: [...segments.values()].filter(isNewer),
    };
  }

  /** The data of `rp_full`, as it is true now. Of the first relay key, unless told. */
  dump(key: string = [...this.#scopes.keys()][0] ?? ""): Dump {
    const items = this.scopeOf(key).map(
      ({ envId, secrets, flags, segments }): DumpItem => ({
        envId,
        secrets: [...secrets],
        featureFlags: [...flags.values()],
        segments: [...segments.values()],
      }),
    );
    return { eventType: "rp_full", items };
  }

  /** Every version an item had, oldest first. */
  versions(envId: string, kind: ItemKind, id: string): (Flag | Segment)[] {
    return this.#stored(envId).truth.versions(kind, id);
  }

  /**
   * What in a copy was never true: empty when each of its environments is what that environment held at some moment.
   * A deletion, and a flag's time that only changed in the database, may be unknown to the copy.
   */
  neverTrue(dump: Dump): string[] {
    return dump.items.flatMap((item) => {
      const environment = this.#environments.get(item.envId);
      if (environment === undefined) return [`there never was an environment ${item.envId}`];
      return environment.truth.problems(item).map((problem) => `${item.envId}: ${problem}`);
    });
  }
}

/** What FeatBit sends, as far as tests look into it. Other fields travel along untouched. */

export interface Rollout {
  readonly id: string;
  readonly rollout: readonly [min: number, max: number];
  readonly exptRollout: number;
}

export interface Condition {
  readonly id?: string;
  readonly property: string;
  readonly op: string | null;
  readonly value: string;
}

export interface Flag {
  readonly id: string;
  readonly envId: string;
  readonly key: string;
  readonly variationType: string | null;
  readonly variations: readonly { readonly id: string; readonly name?: string; readonly value: string }[];
  readonly targetUsers: readonly { readonly keyIds: readonly string[]; readonly variationId: string }[];
  readonly rules: readonly {
    readonly id: string;
    readonly name: string;
    readonly dispatchKey: string | null;
    readonly includedInExpt: boolean;
    readonly conditions: readonly Condition[];
    readonly variations: readonly Rollout[];
  }[];
  readonly isEnabled: boolean;
  readonly disabledVariationId: string;
  readonly fallthrough: {
    readonly dispatchKey: string | null;
    readonly includedInExpt: boolean;
    readonly variations: readonly Rollout[];
  };
  readonly exptIncludeAllTargets: boolean;
  readonly updatedAt: string;
  readonly isArchived: boolean;
  readonly [field: string]: unknown;
}

export interface Segment {
  readonly id: string;
  readonly envId: string;
  readonly included: readonly string[];
  readonly excluded: readonly string[];
  readonly rules: readonly {
    readonly id: string;
    readonly name: string;
    readonly conditions: readonly Condition[];
  }[];
  readonly updatedAt: string;
  readonly isArchived: boolean;
  readonly [field: string]: unknown;
}

export interface Secret {
  readonly type: "server" | "client";
  readonly projectKey: string;
  readonly envId: string;
  readonly envKey: string;
  /** 44 characters; the last 22 encode the environment's id. */
  readonly value: string;
}

export interface DumpItem {
  readonly envId: string;
  readonly secrets: readonly Secret[];
  readonly featureFlags: readonly Flag[];
  readonly segments: readonly Segment[];
}

/** The data of `rp_full`; a backup, and what bootstrap takes. */
export interface Dump {
  readonly eventType: string;
  readonly items: readonly DumpItem[];
}

export interface FeatbitUser {
  readonly keyId: string;
  readonly name: string;
  readonly customizedProperties: readonly { readonly name: string; readonly value: string }[];
}

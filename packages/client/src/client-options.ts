import type { PosthouseError } from "@posthouse/protocol";
import type { Problem, RuleSetOptions } from "@posthouse/rules";
import type { BackoffOptions } from "./backoff.ts";
import type { TimeoutOptions } from "./http.ts";

export interface ManagerOptions {
  /** `https://manager.example.com`, with or without a path and a slash at the end. */
  readonly url: string;
  readonly namespace: string;
  readonly project: string;
  readonly token: string;
  /** Name of the header that carries `Bearer TOKEN`. Default: Authorization. */
  readonly authorizationHeader?: string;
}

export interface ClientOptions {
  readonly manager: ManagerOptions;
  /** Who this is, in the Manager's list of agents. Characters that a Manager refuses become `-`. */
  readonly agent: { readonly name: string; readonly type?: "default" | "traefik" };
  /** How often to ask for the version. Default: 5 minutes. Each wait differs by up to 10 % either way. */
  readonly checkEveryMs?: number;
  /** Whether to hear of a new version at once, where the Manager offers it. Default: true. */
  readonly push?: boolean;
  /** Where the last snapshot is kept for a start without the Manager. Default: nowhere. */
  readonly store?: SnapshotStore;
  readonly compat?: "flecto";
  /** Bounds of what patterns may cost. */
  readonly rules?: Omit<RuleSetOptions, "compat">;
  /** Called on the serving thread: must return at once. What it throws is reported as a process warning. */
  readonly onEvent?: (event: ClientEvent) => void;
  /** Delays between attempts after a failure. */
  readonly backoff?: Partial<BackoffOptions>;
  readonly timeouts?: Partial<ClientTimeouts>;
}

export interface ClientTimeouts extends TimeoutOptions {
  /** A push connection that was silent for so long is dead; the Manager says something every 15 s. */
  readonly pushSilenceMs: number;
  /** Time between attempts with a token that was refused. */
  readonly refusedMs: number;
}

export const defaultTimeouts: ClientTimeouts = {
  headersMs: 10_000,
  idleMs: 30_000,
  totalMs: 600_000,
  pushSilenceMs: 45_000,
  refusedMs: 60_000,
};

/** A place for one snapshot. `createFileStore` of `@posthouse/client/node` is one. */
export interface SnapshotStore {
  /** The text that was written last, as bytes; undefined when there is none. */
  read(): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Replaces the text, all or nothing. `lines` yields pieces that each hold one or more whole lines. */
  write(lines: AsyncIterable<string>): Promise<void>;
}

export interface ClientStatus {
  /** Version that is served; 0 when nothing is. */
  readonly version: number;
  readonly hash: string | undefined;
  readonly loadedFrom: "disk" | "manager" | undefined;
  readonly loadedAt: Date | undefined;
  readonly startedAt: Date | undefined;
  /** When the Manager last confirmed or delivered what is served. */
  readonly checkedAt: Date | undefined;
  /** Whether the push connection stands. */
  readonly connected: boolean;
  /** What does not work at the moment: failures not followed by a success of the same operation, the latest last. */
  readonly failures: readonly ClientFailure[];
  /** The last of them. */
  readonly lastError: ClientFailure | undefined;
  /** Errors and warnings of the items of this version. */
  readonly problems: number;
  readonly redirects: number;
  readonly pages: number;
}

export interface ClientFailure {
  readonly operation: ClientOperation;
  readonly code: string;
  readonly message: string;
  /** When this operation failed first, and last, since it worked. */
  readonly since: Date;
  readonly at: Date;
}

export type LoadedHow = "disk" | "snapshot" | "changes" | "pages" | "same";

export type ClientEvent =
  | {
      readonly type: "loaded";
      readonly version: number;
      readonly hash: string;
      /** 0 when there was none. */
      readonly previousVersion: number;
      /** `same`: another version with the same items; `pages`: the paged lists of a Flecto Manager. */
      readonly how: LoadedHow;
      readonly redirects: number;
      readonly pages: number;
      readonly problems: readonly Problem[];
      readonly durationMs: number;
    }
  /** The Manager went back to an older version; it is loaded like any other. */
  | { readonly type: "older"; readonly version: number; readonly loadedVersion: number }
  | { readonly type: "unchanged"; readonly version: number }
  | { readonly type: "connected" }
  | { readonly type: "disconnected" }
  | { readonly type: "saved"; readonly version: number; readonly durationMs: number }
  | {
      readonly type: "failed";
      readonly operation: ClientOperation;
      readonly error: PosthouseError;
      readonly retryInMs?: number;
    }
  /** An operation that had failed works again. */
  | { readonly type: "recovered"; readonly operation: ClientOperation };

/** `read`, `save`: the copy on disk; `check`: version and rules; `changes`: a difference, after which the whole is taken. */
export type ClientOperation = "read" | "check" | "changes" | "push" | "save" | "report";

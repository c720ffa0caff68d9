/**
 * FeatBit's data as one document (specs 2.4, 5): a full sync, a bootstrap, a backup, the file of mode `offline`. A list
 * of environments may name one several times: a large one comes in pieces.
 */
import type { FlagItems } from "@posthouse/flags";
import { Secret } from "@posthouse/service";
import * as z from "zod";
import { agentErrors } from "../../core/errors.ts";

/** A key that SDKs of one environment carry. */
export interface EnvironmentSecret {
  readonly type: "server" | "client";
  /** As upstream writes it. */
  readonly envId: string;
  readonly projectKey: string;
  readonly envKey: string;
  readonly value: Secret;
}

/** Its flags and segments are as they came, or `ItemText`. */
export interface DumpEnvironment extends FlagItems {
  readonly envId: string;
  readonly secrets: readonly EnvironmentSecret[];
  /** Secrets that could not be read: those known before stay. */
  readonly unreadableSecrets?: number;
  /** Of a copy on disk: upstream need not send again what is older, in ms. */
  readonly mark?: number | undefined;
  /** Where a piece of an environment stands in the document: the numbers of the environment and of its first items. */
  readonly place?: { readonly item: number; readonly featureFlags: number; readonly segments: number };
}

/** An item that was parsed in another thread: one that is known need not be parsed here. */
export class ItemText {
  readonly id: string | undefined;
  /** Environment id in lower case. */
  readonly environment: string | undefined;
  /** When it changed, in ms. */
  readonly time: number | undefined;
  readonly text: string;

  constructor({ id, environment, time, text }: SentItem) {
    this.id = id;
    this.environment = environment;
    this.time = time;
    this.text = text;
  }
}

/** An `ItemText` as it travels between threads. */
export interface SentItem {
  readonly id: string | undefined;
  readonly environment: string | undefined;
  readonly time: number | undefined;
  readonly text: string;
}

/** A secret as it travels. */
export interface SentSecret extends Omit<EnvironmentSecret, "value"> {
  readonly value: string;
}

const secret: z.ZodType<SentSecret> = z.object({
  type: z.enum(["server", "client"]),
  projectKey: z.string(),
  envId: z.string().min(1),
  envKey: z.string(),
  value: z.string().length(44),
});

// What zod gives back has its fields in another order; items travel on as they came.
const item = z.looseObject({ id: z.string().min(1), envId: z.string().min(1), updatedAt: z.string().min(1) });

const environment = z.object({
  envId: z.string().min(1),
  secrets: z.unknown().optional(),
  featureFlags: z.array(item),
  segments: z.array(item),
});

const dump = z.object({ items: z.array(environment) });

/**
 * Reads a dump whole or not at all. Secrets may be missing, or no list (3.2); `eventType` is not looked at. What is
 * wrong deeper inside a flag is isolated when it is compiled. Throws FLAGS_DUMP_INVALID with the path inside the JSON.
 */
export function parseDump(input: unknown): readonly DumpEnvironment[] {
  check(dump, input, []);
  const { items } = input as { readonly items: readonly z.infer<typeof environment>[] };
  return items.map(({ envId, secrets, featureFlags, segments }, index) => ({
    envId,
    secrets: readSecrets(secrets, ["items", index, "secrets"]),
    featureFlags,
    segments,
  }));
}

const versionOne = z.array(
  z.object({ envId: z.string().min(1), flags: z.array(item), segments: z.array(item) }),
);

/** Reads the dump of FeatBit Agent v1: a bare list, without secrets (5). Throws FLAGS_DUMP_INVALID. */
export function parseVersionOneDump(input: unknown): readonly DumpEnvironment[] {
  check(versionOne, input, []);
  return (input as z.infer<typeof versionOne>).map(({ envId, flags, segments }) => ({
    envId,
    secrets: [],
    featureFlags: flags,
    segments,
  }));
}

const sentEnvironment = z.object({
  envId: z.string().min(1),
  secrets: z.array(z.unknown()),
  featureFlags: z.array(z.unknown()),
  segments: z.array(z.unknown()),
});

const sentDump = z.object({ items: z.array(sentEnvironment) });

/**
 * Reads what FeatBit sends as a full sync or as a patch of several environments: one broken item does not spoil the
 * others, but a missing list does, since nothing could be told from it. Throws FLAGS_DUMP_INVALID.
 */
export function parseSentDump(input: unknown): readonly DumpEnvironment[] {
  return check(sentDump, input, []).items.map(({ secrets, ...rest }) => {
    const read = secrets.flatMap((each) => secret.safeParse(each).data ?? []);
    return { ...rest, secrets: read.map(hide), unreadableSecrets: secrets.length - read.length };
  });
}

/** Throws FLAGS_DUMP_INVALID, which says where the text is wrong and nothing of what it holds. */
export function parseJsonDocument(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const [place = ""] = / \(line \d+ column \d+\)| at position \d+/.exec(String(error)) ?? [];
    throw agentErrors.create("FLAGS_DUMP_INVALID", {
      path: "the document",
      reason: `it is not JSON${place}`,
    });
  }
}

function readSecrets(input: unknown, path: readonly PropertyKey[]): EnvironmentSecret[] {
  if (!Array.isArray(input)) return [];
  return input.map((each: unknown, index) => hide(check(secret, each, [...path, index])));
}

export const hide = (sent: SentSecret): EnvironmentSecret => ({ ...sent, value: new Secret(sent.value) });

export const reveal = ({ type, projectKey, envId, envKey, value }: EnvironmentSecret): SentSecret => ({
  type,
  projectKey,
  envId,
  envKey,
  value: value.reveal(),
});

function check<T extends z.ZodType>(schema: T, input: unknown, at: readonly PropertyKey[]): z.infer<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = formatPath([...at, ...(issue?.path ?? [])]);
  throw agentErrors.create("FLAGS_DUMP_INVALID", { path, reason: issue?.message ?? "not a dump" });
}

/** `items[0].featureFlags[3].id`; of the whole, `the document`. */
function formatPath(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return text.replace(/^\./, "") || "the document";
}

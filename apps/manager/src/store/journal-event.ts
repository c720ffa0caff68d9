import type { Kysely } from "kysely";
import type { Kind, Schema } from "../database/schema.ts";
import type { Subject } from "./subject.ts";

/** What an event is about. The last five belong to the Manager itself, and so does a project's making and removal. */
export const eventResources = [
  "REDIRECT",
  "PAGE",
  "PROJECT",
  "ACTIVITY",
  "AGENT",
  "NAMESPACE",
  "USER",
  "ROLE",
  "TOKEN",
  "SESSION",
] as const;

export const eventActions = [
  "CREATE",
  "UPDATE",
  "DELETE",
  "IMPORT",
  "ROLLBACK",
  "PUBLISH",
  "RESTORE",
  "TRUNCATE",
  "REFUSE",
] as const;

export type EventResource = (typeof eventResources)[number];
export type EventAction = (typeof eventActions)[number];

export function resourceOf(kind: Kind): EventResource {
  return kind === "redirect" ? "REDIRECT" : "PAGE";
}

/** Who did it; nobody when the Manager did it of its own. */
export type Actor = Pick<Subject, "kind" | "id" | "name"> | undefined;

export interface NewEvent {
  /** Null for what was done to the Manager itself. */
  readonly projectId: number | null;
  readonly resource: EventResource;
  readonly action: EventAction;
  readonly by: Actor;
  /** Id of the one item, user, role or token it was done to. */
  readonly resourceId?: number | undefined;
  /** What happened, as JSON. Never a secret, never a page's content. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Writes an event into the journal. `trx` is the transaction that makes the change, so that neither is kept alone. */
export async function recordEvent(trx: Kysely<Schema>, event: NewEvent): Promise<void> {
  const { projectId, resource, action, by, resourceId, data } = event;
  await trx
    .insertInto("event")
    .values({
      project_id: projectId,
      resource,
      action,
      user_id: by?.kind === "user" ? by.id : null,
      actor: by?.name ?? "system",
      auth_type: by === undefined ? "" : by.kind === "user" ? "basic" : "token",
      resource_id: resourceId ?? null,
      data: JSON.stringify(data ?? {}),
      occurred_at: Date.now(),
    })
    .execute();
}

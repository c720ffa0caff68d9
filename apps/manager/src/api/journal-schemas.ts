import * as z from "zod";
import type { JournalEvent } from "../store/journal.ts";
import {
  type EventAction,
  type EventResource,
  eventActions,
  eventResources,
} from "../store/journal-event.ts";

export interface JournalListQuery {
  readonly limit: number;
  readonly cursor?: number | undefined;
  readonly resource?: EventResource | undefined;
  readonly action?: EventAction | undefined;
  readonly actor?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

const time = z.iso.datetime({ offset: true }).optional();

/** `cursor` is the `next` of the answer before; `from` and `to` are times in RFC 3339, both inclusive. */
export const journalQuery: z.ZodType<JournalListQuery> = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  cursor: z.coerce.number().int().min(1).optional(),
  resource: z.enum(eventResources).optional(),
  action: z.enum(eventActions).optional(),
  actor: z.string().max(320).optional(),
  from: time,
  to: time,
});

export const journalAnswer: z.ZodType<{ items: JournalEvent[]; next?: number | undefined }> = z.object({
  items: z.array(
    z.object({
      id: z.number(),
      resource: z.enum(eventResources),
      action: z.enum(eventActions),
      userId: z.number().nullable(),
      actor: z.string(),
      authType: z.string(),
      resourceId: z.number().nullable(),
      data: z.record(z.string(), z.unknown()),
      occurredAt: z.string(),
    }),
  ),
  next: z.number().optional(),
});

export const journalRemoved: z.ZodType<{ removed: number }> = z.object({ removed: z.number() });

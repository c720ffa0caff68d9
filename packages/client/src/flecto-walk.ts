import { type PosthouseError, pageContentTypes, redirectStatuses } from "@posthouse/protocol";
import type { RuleSetOptions } from "@posthouse/rules";
import { errors } from "./errors.ts";
import type { ManagerApi } from "./manager-api.ts";
import { createSlicer } from "./slicer.ts";
import { createSnapshotBuilder, parseItem, type Snapshot, type SnapshotBuilder } from "./snapshot.ts";

/** Rows asked for at once. A page may have 1 MiB, and what comes is parsed in one go. */
const limits = { redirects: 500, pages: 20 } as const;
const maxAttempts = 5;
/** Rows above the total that was told first: so many may be published during a walk. */
const maxSurplus = 100_000;

/**
 * Reads a project from a Flecto Manager, which has no snapshots: all pages of both lists. The version is read before
 * and after; when they differ, what was read may be a mixture, and it is read again. Ids are positions: redirects
 * from 1, pages after them.
 */
export async function walkFlecto(
  api: ManagerApi,
  version: number,
  rules: RuleSetOptions,
  signal: AbortSignal,
): Promise<Snapshot> {
  let before = version;
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const builder = createSnapshotBuilder(rules);
    const redirects = await walkList(api, "redirects", 0, builder, signal);
    const pages = await walkList(api, "pages", redirects.rows, builder, signal);
    const after = (await api.version()).version;
    if (after === before) {
      // A list that was short because of a publish is read again; one that is short anyway is not the whole.
      for (const { kind, rows, total } of [redirects, pages])
        if (rows < total) throw unusable(kind, `it ends after ${rows} of ${total} items`);
      return builder.finish(after);
    }
    before = after;
  }
  throw errors.create("MANAGER_KEEPS_CHANGING", { attempts: maxAttempts });
}

interface Walked {
  readonly kind: "redirects" | "pages";
  readonly rows: number;
  /** How many there are by the Manager's own count. */
  readonly total: number;
}

/**
 * Puts in all rows of a list, as ids after `lastId`. Goes on by the cursor where one is given (Flecto 0.2.0), else by
 * offset, which may be less than was asked for: a gateway may give fewer rows.
 */
async function walkList(
  api: ManagerApi,
  kind: "redirects" | "pages",
  lastId: number,
  builder: SnapshotBuilder,
  signal: AbortSignal,
): Promise<Walked> {
  const slicer = createSlicer(signal);
  let count = 0;
  let from: number | string = 0;
  for (;;) {
    const { rows, total, next } = parsePage(kind, await api.list(kind, limits[kind], from));
    for (const row of rows) {
      count++;
      const item = toItem(kind, lastId + count, row);
      builder.add(parseItem(item.id, item, JSON.stringify(item)));
      if (slicer.isDue()) await slicer.pause();
    }
    const isOver = rows.length === 0 || (next === undefined && (typeof from === "string" || count >= total));
    if (isOver) return { kind, rows: count, total };
    if (next === from || count > total + maxSurplus) throw unusable(kind, "it does not come to an end");
    from = next ?? count;
  }
}

function parsePage(
  kind: string,
  value: unknown,
): { rows: readonly unknown[]; total: number; next: string | undefined } {
  if (typeof value !== "object" || value === null) throw unusable(kind, "not a list");
  const { Items, Total, Next } = value as { Items?: unknown; Total?: unknown; Next?: unknown };
  if (!Array.isArray(Items) || typeof Total !== "number")
    throw unusable(kind, "a list without Items or Total");
  return { rows: Items, total: Total, next: typeof Next === "string" && Next !== "" ? Next : undefined };
}

/** An item of a row. What a Flecto agent takes as a default is put in its place; unknown fields are left out. */
function toItem(kind: "redirects" | "pages", id: number, row: unknown): { readonly id: number } {
  const given = typeof row === "object" && row !== null ? (row as Record<string, unknown>) : {};
  const { type, source, target, path, content } = given;
  if (kind === "redirects") {
    const status = Object.hasOwn(redirectStatuses, String(given.status)) ? given.status : "FOUND";
    return { id, kind: "redirect", type, source, target, status } as { id: number };
  }
  const contentType = Object.hasOwn(pageContentTypes, String(given.contentType))
    ? given.contentType
    : "TEXT_PLAIN";
  return { id, kind: "page", type, path, content, contentType } as { id: number };
}

function unusable(kind: string, reason: string): PosthouseError {
  return errors.create("MANAGER_ANSWER_UNUSABLE", { url: `The list of ${kind}`, reason });
}

import { type PosthouseError, pageContentTypes, redirectStatuses } from "@posthouse/protocol";
import type { RuleSetOptions } from "@posthouse/rules";
import { errors } from "./errors.ts";
import type { ManagerApi } from "./manager-api.ts";
import { createSlicer } from "./slicer.ts";
import { createSnapshotBuilder, parseItem, type Snapshot, type SnapshotBuilder } from "./snapshot.ts";

const pageLimit = 100;
const maxAttempts = 5;

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
    await walkList(api, "pages", redirects, builder, signal);
    const after = (await api.version()).version;
    if (after === before) return builder.finish(after);
    before = after;
  }
  throw errors.create("MANAGER_KEEPS_CHANGING", { attempts: maxAttempts });
}

/** Puts in all rows of a list, as ids after `lastId`; returns the last id it used. */
async function walkList(
  api: ManagerApi,
  kind: "redirects" | "pages",
  lastId: number,
  builder: SnapshotBuilder,
  signal: AbortSignal,
): Promise<number> {
  const slicer = createSlicer(signal);
  let offset = 0;
  for (;;) {
    const { rows, total } = parsePage(kind, await api.list(kind, pageLimit, offset));
    for (const row of rows) {
      offset++;
      const item = toItem(kind, lastId + offset, row);
      builder.add(parseItem(item.id, item, JSON.stringify(item)));
      if (slicer.isDue()) await slicer.pause();
    }
    if (offset >= total) return lastId + offset;
    if (rows.length === 0) throw unusable(kind, `it ends after ${offset} of ${total} items`);
  }
}

function parsePage(kind: string, value: unknown): { rows: readonly unknown[]; total: number } {
  if (typeof value !== "object" || value === null) throw unusable(kind, "not a list");
  const { Items, Total } = value as { Items?: unknown; Total?: unknown };
  if (!Array.isArray(Items) || typeof Total !== "number")
    throw unusable(kind, "a list without Items or Total");
  return { rows: Items, total: Total };
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

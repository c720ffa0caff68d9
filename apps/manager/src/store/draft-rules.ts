/** What a draft must keep to. */
import type { Page, Redirect } from "@posthouse/protocol";
import { checkPage, checkRedirect, type Problem } from "@posthouse/rules";
import { sql, type Transaction } from "kysely";
import type { ManagerConfig } from "../config.ts";
import type { ItemColumns, Kind, Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { pageColumns, redirectColumns } from "./item-values.ts";

/** @throws REDIRECT_INVALID; what is only doubtful is given back */
export function checkedRedirect(redirect: Redirect): { columns: ItemColumns; warnings: Problem[] } {
  const problems = checkRedirect(redirect);
  refuse("REDIRECT_INVALID", problems, [redirect.source, redirect.target]);
  return { columns: redirectColumns(redirect), warnings: problems };
}

/** @throws PAGE_INVALID */
export function checkedPage(page: Page): ItemColumns {
  const problems = checkPage(page).filter(({ code }) => code !== "CONTENT_TOO_LARGE"); // limits.page says what is
  refuse("PAGE_INVALID", problems, [page.path, page.content]);
  return pageColumns(page);
}

function refuse(
  code: "REDIRECT_INVALID" | "PAGE_INVALID",
  problems: readonly Problem[],
  texts: readonly string[],
): void {
  if (!texts.every((text) => text.isWellFormed()))
    throw errors.create(code, { reason: "It holds half of a surrogate pair, which is no character." });
  const problem = problems.find(({ severity }) => severity === "error");
  if (!problem) return;
  throw errors.create(code, { reason: problem.message }, problem.hint ? { hint: problem.hint } : {});
}

/**
 * A source belongs to one item once all drafts are published: one whose pending change gives it up does not have it.
 * @throws SOURCE_IN_USE
 */
export async function refuseTaken(
  trx: Transaction<Schema>,
  projectId: number,
  id: number,
  { kind, source }: Pick<ItemColumns, "kind" | "source">,
): Promise<void> {
  const { rows } = await sql<{ id: number }>`
    select i.id from item i where i.project_id = ${projectId} and i.kind = ${kind} and i.source = ${source}
      and i.id <> ${id} and not exists (select 1 from draft d where d.project_id = i.project_id and d.item_id = i.id
        and (d.change = 'DELETE' or d.source <> i.source))
    union all select item_id from draft where project_id = ${projectId} and kind = ${kind}
      and source = ${source} and change <> 'DELETE' and item_id <> ${id}`.execute(trx);
  const [holder] = rows;
  if (!holder) return;
  const hint = `${kind} ${holder.id} has it: edit or delete that one`;
  throw errors.create("SOURCE_IN_USE", { source }, { hint });
}

/** @throws PAGE_TOO_LARGE, PAGES_TOO_LARGE */
export async function refuseTooLarge(
  trx: Transaction<Schema>,
  projectId: number,
  id: number,
  content: string,
  limits: ManagerConfig["limits"],
): Promise<void> {
  const bytes = Buffer.byteLength(content);
  if (bytes > limits.page) throw errors.create("PAGE_TOO_LARGE", { bytes, limit: limits.page });
  const { rows } = await sql<{ total: number }>`
    select coalesce(sum(octet_length(content)), 0) as total from (
      select content from draft where project_id = ${projectId} and kind = 'page' and change <> 'DELETE'
        and item_id <> ${id}
      union all select content from item where project_id = ${projectId} and kind = 'page' and id <> ${id}
        and id not in (select item_id from draft where project_id = ${projectId} and kind = 'page'))`.execute(
    trx,
  );
  if ((rows[0]?.total ?? 0) + bytes > limits.pages_of_project)
    throw errors.create("PAGES_TOO_LARGE", { limit: limits.pages_of_project });
}

/** What an item or its draft says now, for the journal; undefined when there is neither. */
export async function currentColumns(
  trx: Transaction<Schema>,
  projectId: number,
  kind: Kind,
  id: number,
): Promise<{ columns: ItemColumns; published: boolean; pending: boolean } | undefined> {
  const draft = await trx
    .selectFrom("draft")
    .selectAll()
    .where("project_id", "=", projectId)
    .where("item_id", "=", id)
    .where("kind", "=", kind)
    .executeTakeFirst();
  if (draft) return { columns: draft, published: draft.change !== "CREATE", pending: true };
  const item = await trx
    .selectFrom("item")
    .selectAll()
    .where("project_id", "=", projectId)
    .where("id", "=", id)
    .where("kind", "=", kind)
    .executeTakeFirst();
  return item && { columns: item, published: true, pending: false };
}

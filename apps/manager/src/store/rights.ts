import { type Kysely, sql, type Transaction } from "kysely";
import type { Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { allowsAll, type Grants } from "./permission.ts";

/** @throws PERMISSION_MISSING unless `by` has all of `asked` */
export function requireHeld(by: Grants | undefined, asked: Grants): void {
  if (by === undefined || allowsAll(by, asked)) return;
  throw errors.create("PERMISSION_MISSING", { permission: "that it would hand out" });
}

/** The grants kept as JSON in a row. */
export function grantsOf(row: { permissions: string; admin: string }): Grants {
  return { permissions: JSON.parse(row.permissions), admin: JSON.parse(row.admin) };
}

/** The columns that keep grants. */
export function grantColumns({ permissions, admin }: Grants): { permissions: string; admin: string } {
  return { permissions: JSON.stringify(permissions), admin: JSON.stringify(admin) };
}

/** Everything that the grants hold together. */
export function joinGrants(all: readonly Grants[]): Grants {
  return {
    permissions: all.flatMap(({ permissions }) => permissions),
    admin: all.flatMap(({ admin }) => admin),
  };
}

/** A user's own grants and those of the user's roles. */
export async function readUserGrants(db: Kysely<Schema>, userId: number): Promise<Grants> {
  const { rows } = await sql<{ permissions: string; admin: string }>`
    select permissions, admin from user where id = ${userId}
    union all select r.permissions, r.admin from role_member m join role r on r.id = m.role_id
      where m.user_id = ${userId}`.execute(db);
  return joinGrants(rows.map(grantsOf));
}

/** To be called at the end of a change that may take rights from somebody. @throws LAST_ADMINISTRATOR */
export async function requireAdministrator(trx: Transaction<Schema>): Promise<void> {
  const holdsAll = (admin: string) =>
    sql.raw(
      `exists (select 1 from json_each(${admin}) where value ->> 'section' = '*' and value ->> 'action' = '*')`,
    );
  const { rows } = await sql`
    select 1 from user u where u.active = 1 and (${holdsAll("u.admin")} or exists (
      select 1 from role_member m join role r on r.id = m.role_id where m.user_id = u.id and ${holdsAll("r.admin")}))
    limit 1`.execute(trx);
  if (rows.length === 0) throw errors.create("LAST_ADMINISTRATOR");
}

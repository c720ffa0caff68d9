import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import { errors } from "../errors.ts";
import { recordEvent } from "./journal-event.ts";
import type { Grants } from "./permission.ts";
import { unlessTaken } from "./project.ts";
import { grantColumns, grantsOf, requireAdministrator, requireHeld } from "./rights.ts";
import type { Subject } from "./subject.ts";

export interface RoleView extends Grants {
  readonly code: string;
  readonly members: number;
  readonly createdAt: string;
}

export interface RoleMember {
  readonly id: number;
  readonly username: string;
}

/** Rights under a name. Nobody makes, changes or hands out a role that holds more than they have themselves. */
export interface RoleStore {
  list(): Promise<RoleView[]>;
  create(code: string, grants: Grants, by: Subject): Promise<void>;
  update(code: string, grants: Grants, by: Subject): Promise<void>;
  remove(code: string, by: Subject): Promise<void>;
  members(code: string): Promise<RoleMember[]>;
  addMember(code: string, userId: number, by: Subject): Promise<void>;
  removeMember(code: string, userId: number, by: Subject): Promise<void>;
}

export function createRoleStore({ read, write }: Database, onChanged: () => void): RoleStore {
  type Reader = Pick<Database["read"], "selectFrom">;
  const find = async (db: Reader, code: string) => {
    const row = await db.selectFrom("role").selectAll().where("code", "=", code).executeTakeFirst();
    if (!row) throw errors.create("ROLE_NOT_FOUND", { code });
    return row;
  };
  const event = (action: "CREATE" | "UPDATE" | "DELETE", resourceId: number, by: Subject) =>
    ({ projectId: null, resource: "ROLE", action, resourceId, by }) as const;

  return {
    async list() {
      const { rows } = await sql<{
        code: string;
        permissions: string;
        admin: string;
        created_at: number;
        members: number;
      }>`
        select code, permissions, admin, created_at,
          (select count(*) from role_member where role_id = role.id) as members
        from role order by code`.execute(read);
      return rows.map((row) => ({
        code: row.code,
        members: row.members,
        createdAt: new Date(row.created_at).toISOString(),
        ...grantsOf(row),
      }));
    },
    async create(code, grants, by) {
      requireHeld(by, grants);
      await write.transaction().execute(async (trx) => {
        const values = { code, ...grantColumns(grants), created_at: Date.now() };
        const insert = trx.insertInto("role").values(values).returning("id").executeTakeFirstOrThrow();
        const { id } = await unlessTaken(insert, () => errors.create("ROLE_EXISTS", { code }));
        await recordEvent(trx, { ...event("CREATE", id, by), data: { code, ...grants } });
      });
    },
    async update(code, grants, by) {
      requireHeld(by, grants);
      await write.transaction().execute(async (trx) => {
        const role = await find(trx, code);
        const before = grantsOf(role);
        requireHeld(by, before);
        await trx.updateTable("role").set(grantColumns(grants)).where("id", "=", role.id).execute();
        await requireAdministrator(trx);
        await recordEvent(trx, { ...event("UPDATE", role.id, by), data: { code, before, after: grants } });
      });
      onChanged();
    },
    async remove(code, by) {
      await write.transaction().execute(async (trx) => {
        const role = await find(trx, code);
        requireHeld(by, grantsOf(role));
        await trx.deleteFrom("role").where("id", "=", role.id).execute();
        await requireAdministrator(trx);
        await recordEvent(trx, { ...event("DELETE", role.id, by), data: { code } });
      });
      onChanged();
    },
    async members(code) {
      const { id } = await find(read, code);
      return read
        .selectFrom("role_member")
        .innerJoin("user", "user.id", "role_member.user_id")
        .select(["user.id", "user.username"])
        .where("role_member.role_id", "=", id)
        .orderBy("user.username")
        .execute();
    },
    async addMember(code, userId, by) {
      await write.transaction().execute(async (trx) => {
        const role = await find(trx, code);
        requireHeld(by, grantsOf(role));
        const user = await trx
          .selectFrom("user")
          .select("username")
          .where("id", "=", userId)
          .executeTakeFirst();
        if (!user) throw errors.create("USER_NOT_FOUND", { user: userId });
        const { numInsertedOrUpdatedRows: added } = await trx
          .insertInto("role_member")
          .values({ role_id: role.id, user_id: userId })
          .onConflict((oc) => oc.doNothing())
          .executeTakeFirstOrThrow();
        const data = { code, added: user.username };
        if (added) await recordEvent(trx, { ...event("UPDATE", role.id, by), data });
      });
      onChanged();
    },
    async removeMember(code, userId, by) {
      await write.transaction().execute(async (trx) => {
        const role = await find(trx, code);
        requireHeld(by, grantsOf(role));
        const user = await trx
          .selectFrom("user")
          .select("username")
          .where("id", "=", userId)
          .executeTakeFirst();
        const { numDeletedRows } = await trx
          .deleteFrom("role_member")
          .where("role_id", "=", role.id)
          .where("user_id", "=", userId)
          .executeTakeFirstOrThrow();
        if (!user || numDeletedRows === 0n) throw errors.create("USER_NOT_FOUND", { user: userId });
        await requireAdministrator(trx);
        await recordEvent(trx, { ...event("UPDATE", role.id, by), data: { code, removed: user.username } });
      });
      onChanged();
    },
  };
}

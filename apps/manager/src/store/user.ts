import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import type { UserTable } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { type Actor, recordEvent } from "./journal-event.ts";
import { hashPassword } from "./password.ts";
import { allGrants, type Grants } from "./permission.ts";
import { unlessTaken } from "./project.ts";
import { grantColumns, grantsOf, readUserGrants, requireAdministrator, requireHeld } from "./rights.ts";
import type { Subject } from "./subject.ts";

export interface FirstLogin {
  readonly username: string;
  /** Opens the door once: a new one has to be chosen with it. */
  readonly password: string;
}

export interface UserNames {
  readonly username: string;
  readonly firstName: string;
  readonly lastName: string;
}

export interface UserView extends Grants, UserNames {
  readonly id: number;
  readonly active: boolean;
  readonly mustChangePassword: boolean;
  /** Codes of the user's roles. */
  readonly roles: readonly string[];
  readonly createdAt: string;
}

export interface UserQuery {
  /** In the names, in any case. */
  readonly search?: string | undefined;
  readonly active?: boolean | undefined;
  /** Only users whose id is larger. */
  readonly after: number;
  readonly limit: number;
}

/** What is undefined stays as it is. */
export interface UserChange {
  readonly firstName?: string | undefined;
  readonly lastName?: string | undefined;
  readonly active?: boolean | undefined;
}

/** People. Whoever changes a user must have every right that the user has, and every right that is given. */
export interface UserStore {
  /** Makes the administrator when there is nobody yet. */
  createFirst(): Promise<FirstLogin | undefined>;
  list(query: UserQuery): Promise<UserView[]>;
  /** @throws USER_NOT_FOUND */
  get(id: number): Promise<UserView>;
  create(names: UserNames, grants: Grants, by: Subject): Promise<FirstLogin & { readonly id: number }>;
  update(id: number, change: UserChange, by: Subject): Promise<void>;
  /** Replaces the user's own rights; those of roles stay. */
  setGrants(id: number, grants: Grants, by: Subject): Promise<void>;
  /** Gives a one-time password and ends the user's sessions. */
  resetPassword(id: number, by: Subject): Promise<FirstLogin>;
  remove(id: number, by: Subject): Promise<void>;
}

const oneTimePassword = (): string => randomBytes(12).toString("base64url");

export function createUserStore({ read, write }: Database, onChanged: () => void): UserStore {
  /** Runs a change of one user, whose rights `by` must have. */
  async function change<T>(
    id: number,
    by: Subject,
    run: (
      trx: Parameters<Parameters<ReturnType<typeof write.transaction>["execute"]>[0]>[0],
      username: string,
    ) => Promise<T>,
  ): Promise<T> {
    const result = await write.transaction().execute(async (trx) => {
      const user = await trx.selectFrom("user").select("username").where("id", "=", id).executeTakeFirst();
      if (!user) throw errors.create("USER_NOT_FOUND", { user: id });
      requireHeld(by, await readUserGrants(trx, id));
      const done = await run(trx, user.username);
      await requireAdministrator(trx);
      return done;
    });
    onChanged();
    return result;
  }

  const event = (action: "CREATE" | "UPDATE" | "DELETE", resourceId: number, by: Actor) =>
    ({ projectId: null, resource: "USER", action, resourceId, by }) as const;

  async function select(query: Partial<UserQuery> & { id?: number }): Promise<UserView[]> {
    const { id, search = "", active, after = 0, limit = 1 } = query;
    const { rows } = await sql<
      UserTable & { id: number; first_name: string; last_name: string; roles: string }
    >`
      select *, (select json_group_array(r.code order by r.code) from role_member m join role r on r.id = m.role_id
        where m.user_id = user.id) as roles
      from user where id > ${after} and (${id ?? null} is null or id = ${id ?? null})
        and (${search} = '' or instr(lower(username || ' ' || first_name || ' ' || last_name), lower(${search})))
        and (${active === undefined ? null : Number(active)} is null or active = ${Number(active ?? 0)})
      order by id limit ${limit}`.execute(read);
    return rows.map((row) => ({
      id: row.id,
      username: row.username,
      firstName: row.first_name,
      lastName: row.last_name,
      active: Number(row.active) === 1,
      mustChangePassword: row.must_change === 1,
      roles: JSON.parse(row.roles) as string[],
      createdAt: new Date(row.created_at).toISOString(),
      ...grantsOf(row),
    }));
  }

  return {
    async createFirst() {
      const known = await read.selectFrom("user").select("id").limit(1).executeTakeFirst();
      if (known) return undefined;
      const login = { username: "admin", password: oneTimePassword() };
      const values = { username: "admin", password: await hashPassword(login.password), must_change: 1 };
      await write
        .insertInto("user")
        .values({ ...values, ...grantColumns(allGrants), created_at: Date.now() })
        .execute();
      return login;
    },
    list: select,
    async get(id) {
      const [user] = await select({ id });
      if (!user) throw errors.create("USER_NOT_FOUND", { user: id });
      return user;
    },
    async create({ username, firstName, lastName }, grants, by) {
      requireHeld(by, grants);
      const password = oneTimePassword();
      const values = {
        username,
        first_name: firstName,
        last_name: lastName,
        password: await hashPassword(password),
        must_change: 1,
        ...grantColumns(grants),
        created_at: Date.now(),
      };
      return write.transaction().execute(async (trx) => {
        const insert = trx.insertInto("user").values(values).returning("id").executeTakeFirstOrThrow();
        const { id } = await unlessTaken(insert, () => errors.create("USER_EXISTS", { username }));
        await recordEvent(trx, { ...event("CREATE", id, by), data: { username, ...grants } });
        return { id, username, password };
      });
    },
    update: (id, { firstName, lastName, active }, by) =>
      change(id, by, async (trx, username) => {
        const changed = {
          ...(firstName === undefined ? {} : { first_name: firstName }),
          ...(lastName === undefined ? {} : { last_name: lastName }),
          ...(active === undefined ? {} : { active: Number(active) }),
        };
        if (Object.keys(changed).length === 0) return;
        await trx.updateTable("user").set(changed).where("id", "=", id).execute();
        const data = { username, firstName, lastName, active };
        await recordEvent(trx, { ...event("UPDATE", id, by), data });
      }),
    async setGrants(id, grants, by) {
      requireHeld(by, grants);
      await change(id, by, async (trx, username) => {
        const row = await trx.selectFrom("user").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
        await trx.updateTable("user").set(grantColumns(grants)).where("id", "=", id).execute();
        const data = { username, before: grantsOf(row), after: grants };
        await recordEvent(trx, { ...event("UPDATE", id, by), data });
      });
    },
    async resetPassword(id, by) {
      const password = oneTimePassword();
      const kept = await hashPassword(password);
      return change(id, by, async (trx, username) => {
        await trx.updateTable("user").set({ password: kept, must_change: 1 }).where("id", "=", id).execute();
        await trx.deleteFrom("session").where("user_id", "=", id).execute();
        await recordEvent(trx, { ...event("UPDATE", id, by), data: { username, passwordReset: true } });
        return { username, password };
      });
    },
    remove: (id, by) =>
      change(id, by, async (trx, username) => {
        await trx.deleteFrom("user").where("id", "=", id).execute();
        await recordEvent(trx, { ...event("DELETE", id, by), data: { username } });
      }),
  };
}

/** Gives an administrator a new one-time password, in a database that no Manager has open. @throws USER_NOT_FOUND */
export async function resetAdministrator({ write }: Database, username?: string): Promise<FirstLogin> {
  const password = oneTimePassword();
  const kept = await hashPassword(password);
  return write.transaction().execute(async (trx) => {
    const { rows } = await sql<{ id: number; username: string }>`
      select id, username from user where ${username ?? null} is null or username = ${username ?? null}
      order by not exists (select 1 from json_each(admin)
        where value ->> 'section' = '*' and value ->> 'action' = '*'), id limit 1`.execute(trx);
    const [user] = rows;
    if (!user) throw errors.create("USER_NOT_FOUND", { user: username ?? "yet" });
    const values = { password: kept, must_change: 1, active: 1 };
    await trx.updateTable("user").set(values).where("id", "=", user.id).execute();
    await trx.deleteFrom("session").where("user_id", "=", user.id).execute();
    const data = { username: user.username, passwordReset: true };
    await recordEvent(trx, {
      ...{ projectId: null, resource: "USER", action: "UPDATE", resourceId: user.id, by: undefined, data },
    });
    return { username: user.username, password };
  });
}

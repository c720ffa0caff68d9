import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import { errors } from "../errors.ts";
import { recordEvent } from "./journal-event.ts";
import { createLoginThrottle } from "./login-throttle.ts";
import { hashPassword, isPassword } from "./password.ts";
import type { RefusedLogins } from "./refused-logins.ts";
import { grantsOf, joinGrants } from "./rights.ts";
import type { Subject } from "./subject.ts";
import { hashSecret, newSecret } from "./token.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly newPassword?: string | undefined;
}

/** People who are logged in. Their rights are read anew for each request. */
export interface SessionStore {
  /** @throws CREDENTIALS_WRONG, USER_INACTIVE, PASSWORD_MUST_CHANGE, PASSWORD_TOO_SHORT, LOGIN_THROTTLED */
  login(credentials: Credentials): Promise<{ token: string; expiresAt: Date }>;
  logout(token: string): Promise<void>;
  /** Changes one's own password and ends all other sessions. Throws like `login`. */
  changePassword(
    token: string,
    subject: Subject,
    passwords: { readonly password: string; readonly newPassword: string },
  ): Promise<void>;
  find(token: string): Promise<Subject | undefined>;
}

const sessionMs = 12 * 60 * 60 * 1000;
const minPassword = 8;
const nobody = "scrypt$AAAA$AAAA";

interface Checked {
  readonly id: number;
  readonly password: string;
  readonly mustChange: boolean;
}

export function createSessionStore({ read, write }: Database, refused: RefusedLogins): SessionStore {
  const throttle = createLoginThrottle();

  const check = ({ username, password }: Credentials): Promise<Checked> =>
    throttle.run(username, async (succeeded) => {
      const user = await read
        .selectFrom("user")
        .select(["id", "password", "must_change", "active"])
        .where("username", "=", username)
        .executeTakeFirst();
      const right = await isPassword(password, user?.password ?? nobody);
      if (!user || !right) {
        refused.note(username);
        throw errors.create("CREDENTIALS_WRONG");
      }
      succeeded();
      if (!user.active) throw errors.create("USER_INACTIVE");
      return { id: user.id, password: user.password, mustChange: user.must_change === 1 };
    });

  /** Sets a new password unless another change was faster. */
  async function replacePassword(trx: Database["write"], user: Checked, kept: string): Promise<void> {
    const { numUpdatedRows } = await trx
      .updateTable("user")
      .set({ password: kept, must_change: 0 })
      .where("id", "=", user.id)
      .where("password", "=", user.password)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) throw errors.create("CREDENTIALS_WRONG");
  }

  async function login(credentials: Credentials): Promise<{ token: string; expiresAt: Date }> {
    const { password, newPassword } = credentials;
    const user = await check(credentials);
    if (user.mustChange && newPassword === undefined) throw errors.create("PASSWORD_MUST_CHANGE");
    const kept = newPassword === undefined ? undefined : await hashNew(newPassword, password);
    const token = newSecret("session_");
    const expiresAt = new Date(Date.now() + sessionMs);
    await write.transaction().execute(async (trx) => {
      if (kept !== undefined) {
        await replacePassword(trx, user, kept);
        await trx.deleteFrom("session").where("user_id", "=", user.id).execute();
      }
      await trx.deleteFrom("session").where("expires_at", "<=", Date.now()).execute();
      const session = { hash: hashSecret(token), user_id: user.id, expires_at: expiresAt.getTime() };
      await trx.insertInto("session").values(session).execute();
    });
    return { token, expiresAt };
  }

  return {
    login,
    async logout(token) {
      await write.deleteFrom("session").where("hash", "=", hashSecret(token)).execute();
    },
    async changePassword(token, subject, { password, newPassword }) {
      const user = await check({ username: subject.name, password });
      const kept = await hashNew(newPassword, password);
      await write.transaction().execute(async (trx) => {
        await replacePassword(trx, user, kept);
        await trx
          .deleteFrom("session")
          .where("user_id", "=", user.id)
          .where("hash", "<>", hashSecret(token))
          .execute();
        const data = { username: subject.name, passwordChanged: true };
        const about = { projectId: null, resource: "USER", action: "UPDATE", resourceId: user.id } as const;
        await recordEvent(trx, { ...about, by: subject, data });
      });
    },
    async find(token) {
      const { rows } = await sql<{
        id: number;
        username: string;
        permissions: string;
        admin: string;
        active: number;
        expires_at: number;
        roles: string;
      }>`
        select u.id, u.username, u.permissions, u.admin, u.active, s.expires_at,
          (select json_group_array(json_object('permissions', r.permissions, 'admin', r.admin))
            from role_member m join role r on r.id = m.role_id where m.user_id = u.id) as roles
        from session s join user u on u.id = s.user_id
        where s.hash = ${hashSecret(token)} and s.expires_at > ${Date.now()}`.execute(read);
      const [row] = rows;
      if (!row) return undefined;
      if (!row.active) throw errors.create("USER_GONE");
      const roles = JSON.parse(row.roles) as { permissions: string; admin: string }[];
      const grants = joinGrants([row, ...roles].map(grantsOf));
      return { kind: "user", id: row.id, name: row.username, expiresAt: row.expires_at, ...grants };
    },
  };
}

/** @throws PASSWORD_TOO_SHORT */
function hashNew(newPassword: string, password: string): Promise<string> {
  if (newPassword.length < minPassword || newPassword === password) throw errors.create("PASSWORD_TOO_SHORT");
  return hashPassword(newPassword);
}

import { randomBytes } from "node:crypto";
import type { Database } from "../database/database.ts";
import { errors } from "../errors.ts";
import { createLoginThrottle } from "./login-throttle.ts";
import { hashPassword, isPassword } from "./password.ts";
import { allGrants } from "./permission.ts";
import { grantsOf, hashSecret, newSecret, type Subject } from "./token.ts";

export interface FirstLogin {
  readonly username: string;
  readonly password: string;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly newPassword?: string | undefined;
}

/** People and their sessions. */
export interface UserStore {
  /** Makes the administrator when there is nobody yet, with a password that opens the door once. */
  createFirst(): Promise<FirstLogin | undefined>;
  /** @throws CREDENTIALS_WRONG, PASSWORD_MUST_CHANGE, PASSWORD_TOO_SHORT, LOGIN_THROTTLED */
  login(credentials: Credentials): Promise<{ token: string; expiresAt: Date }>;
  logout(token: string): Promise<void>;
  find(token: string): Promise<Subject | undefined>;
}

const sessionMs = 12 * 60 * 60 * 1000;
const minPassword = 8;
const nobody = "scrypt$AAAA$AAAA";

export function createUserStore({ read, write }: Database): UserStore {
  const throttle = createLoginThrottle();

  async function check(
    { username, password, newPassword }: Credentials,
    succeeded: () => void,
  ): Promise<{ token: string; expiresAt: Date }> {
    const user = await read
      .selectFrom("user")
      .selectAll()
      .where("username", "=", username)
      .executeTakeFirst();
    const right = await isPassword(password, user?.password ?? nobody);
    if (!user || !right) throw errors.create("CREDENTIALS_WRONG");
    succeeded();
    if (user.must_change && newPassword === undefined) throw errors.create("PASSWORD_MUST_CHANGE");
    if (newPassword !== undefined && (newPassword.length < minPassword || newPassword === password))
      throw errors.create("PASSWORD_TOO_SHORT");
    const token = newSecret("session_");
    const expiresAt = new Date(Date.now() + sessionMs);
    const kept = newPassword === undefined ? undefined : await hashPassword(newPassword);
    await write.transaction().execute(async (trx) => {
      if (kept !== undefined) {
        const changed = await trx
          .updateTable("user")
          .set({ password: kept, must_change: 0 })
          .where("id", "=", user.id)
          .where("password", "=", user.password)
          .executeTakeFirst();
        if (changed.numUpdatedRows === 0n) throw errors.create("CREDENTIALS_WRONG");
        await trx.deleteFrom("session").where("user_id", "=", user.id).execute();
      }
      await trx.deleteFrom("session").where("expires_at", "<=", Date.now()).execute();
      const session = { hash: hashSecret(token), user_id: user.id, expires_at: expiresAt.getTime() };
      await trx.insertInto("session").values(session).execute();
    });
    return { token, expiresAt };
  }

  return {
    async createFirst() {
      const known = await read.selectFrom("user").select("id").limit(1).executeTakeFirst();
      if (known) return undefined;
      const password = randomBytes(12).toString("base64url");
      await write
        .insertInto("user")
        .values({
          username: "admin",
          password: await hashPassword(password),
          must_change: 1,
          permissions: JSON.stringify(allGrants.permissions),
          admin: JSON.stringify(allGrants.admin),
          created_at: Date.now(),
        })
        .execute();
      return { username: "admin", password };
    },
    login({ username, password, newPassword }) {
      return throttle.run(username, (succeeded) => check({ username, password, newPassword }, succeeded));
    },
    async logout(token) {
      await write.deleteFrom("session").where("hash", "=", hashSecret(token)).execute();
    },
    async find(token) {
      const row = await read
        .selectFrom("session")
        .innerJoin("user", "user.id", "session.user_id")
        .select(["user.id", "user.username", "user.permissions", "user.admin", "session.expires_at"])
        .where("session.hash", "=", hashSecret(token))
        .where("session.expires_at", ">", Date.now())
        .executeTakeFirst();
      if (!row) return undefined;
      return { kind: "user", id: row.id, name: row.username, expiresAt: row.expires_at, ...grantsOf(row) };
    },
  };
}

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Selectable } from "kysely";
import type { Database } from "../database/database.ts";
import type { TokenTable } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { type Actor, recordEvent } from "./journal-event.ts";
import type { Grants } from "./permission.ts";
import { unlessTaken } from "./project.ts";
import { grantColumns, grantsOf, requireHeld } from "./rights.ts";
import type { Subject } from "./subject.ts";

export interface TokenView extends Grants {
  readonly id: number;
  readonly name: string;
  readonly preview: string;
  readonly createdAt: string;
  readonly expiresAt?: string;
}

export interface TokenGrants extends Grants {
  readonly expiresAt?: Date | undefined;
}

/** API tokens. Only their SHA-256 is kept; the token itself is shown once. */
export interface TokenStore {
  create(
    name: string,
    grants: TokenGrants,
    by: Subject,
  ): Promise<{ id: number; name: string; token: string; preview: string }>;
  /** Like create; a token of that name is replaced. */
  replace(name: string, grants: TokenGrants): Promise<string>;
  list(): Promise<TokenView[]>;
  /** Replaces what a token may do, at once; when it expires stays as it is. */
  setGrants(id: number, grants: Grants, by: Subject): Promise<void>;
  remove(id: number, by: Actor): Promise<void>;
  /** The subject of a token that is known and not expired. */
  find(token: string): Promise<Subject | undefined>;
}

export const tokenPrefix = "flecto_";
const maxCached = 10_000;

export function createTokenStore({ read, write }: Database, onChanged: (id: number) => void): TokenStore {
  const cache = new Map<string, Selectable<TokenTable>>();
  let generation = 0;
  const forget = (id: number): void => {
    generation += 1; // a row that is being read now may be gone
    cache.clear();
    onChanged(id);
  };
  const insertion = (name: string, grants: TokenGrants) => {
    const token = newSecret(tokenPrefix);
    const row = {
      name,
      hash: hashSecret(token),
      preview: `${token.slice(0, 11)}...${token.slice(-4)}`,
      ...grantColumns(grants),
      expires_at: grants.expiresAt?.getTime() ?? null,
      created_at: Date.now(),
    };
    return { token, row };
  };
  return {
    async create(name, grants, by) {
      requireHeld(by, grants);
      const { token, row } = insertion(name, grants);
      return write.transaction().execute(async (trx) => {
        const insert = trx.insertInto("token").values(row).returning("id").executeTakeFirstOrThrow();
        const { id } = await unlessTaken(insert, () => errors.create("TOKEN_EXISTS", { name }));
        await recordEvent(trx, { ...event("CREATE", id, by), data: { name, ...grants } });
        return { id, name, token, preview: row.preview };
      });
    },
    async replace(name, grants) {
      const { token, row } = insertion(name, grants);
      const old = await write.transaction().execute(async (trx) => {
        const removed = await trx
          .deleteFrom("token")
          .where("name", "=", name)
          .returning("id")
          .executeTakeFirst();
        const { id } = await trx.insertInto("token").values(row).returning("id").executeTakeFirstOrThrow();
        await recordEvent(trx, { ...event("CREATE", id, undefined), data: { name, ...grants } });
        return removed;
      });
      if (old) forget(old.id);
      return token;
    },
    async list() {
      return (await read.selectFrom("token").selectAll().orderBy("name").execute()).map(viewOf);
    },
    async setGrants(id, grants, by) {
      requireHeld(by, grants);
      await write.transaction().execute(async (trx) => {
        const row = await trx.selectFrom("token").selectAll().where("id", "=", id).executeTakeFirst();
        if (!row) throw errors.create("TOKEN_NOT_FOUND", { id });
        await trx.updateTable("token").set(grantColumns(grants)).where("id", "=", id).execute();
        const data = { name: row.name, before: grantsOf(row), after: grants };
        await recordEvent(trx, { ...event("UPDATE", id, by), data });
      });
      forget(id);
    },
    async remove(id, by) {
      await write.transaction().execute(async (trx) => {
        const removed = await trx
          .deleteFrom("token")
          .where("id", "=", id)
          .returning("name")
          .executeTakeFirst();
        if (!removed) throw errors.create("TOKEN_NOT_FOUND", { id });
        await recordEvent(trx, { ...event("DELETE", id, by), data: { name: removed.name } });
      });
      forget(id);
    },
    async find(token) {
      const hash = hashSecret(token);
      const key = hash.toString("base64");
      let row = cache.get(key);
      if (!row) {
        const asked = generation;
        row = await read.selectFrom("token").selectAll().where("hash", "=", hash).executeTakeFirst();
        if (!row || !timingSafeEqual(row.hash, hash)) return undefined;
        if (cache.size >= maxCached) cache.clear();
        if (asked === generation) cache.set(key, row);
      }
      if (row.expires_at !== null && row.expires_at <= Date.now()) return undefined;
      return {
        kind: "token",
        id: row.id,
        name: row.name,
        expiresAt: row.expires_at ?? undefined,
        ...grantsOf(row),
      };
    },
  };
}

/** `prefix` and 32 random bytes, base64url. */
export function newSecret(prefix: string): string {
  return prefix + randomBytes(32).toString("base64url");
}

export function hashSecret(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

const event = (action: "CREATE" | "UPDATE" | "DELETE", resourceId: number, by: Actor) =>
  ({ projectId: null, resource: "TOKEN", action, resourceId, by }) as const;

function viewOf(row: Selectable<TokenTable>): TokenView {
  return {
    id: row.id,
    name: row.name,
    preview: row.preview,
    createdAt: new Date(row.created_at).toISOString(),
    ...(row.expires_at === null ? {} : { expiresAt: new Date(row.expires_at).toISOString() }),
    ...grantsOf(row),
  };
}

import { existsSync } from "node:fs";
import type { ManagerConfig } from "./config.ts";
import { openDatabase } from "./database/database.ts";
import { errors } from "./errors.ts";
import { type FirstLogin, resetAdministrator } from "./store/user.ts";

/**
 * Gives an administrator who lost the password a new one that opens the door once. The Manager must not be running.
 * Without a name, the first administrator is meant. @throws DATABASE_*, USER_NOT_FOUND
 */
export async function resetPassword(config: ManagerConfig, username?: string): Promise<FirstLogin> {
  const { path } = config.database;
  if (!existsSync(path))
    throw errors.create("DATABASE_CANNOT_OPEN", { path, reason: "there is no such file" });
  const database = await openDatabase(path);
  try {
    return await resetAdministrator(database, username);
  } finally {
    await database.close();
  }
}

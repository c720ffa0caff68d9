import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commandErrors } from "./errors.ts";

const fileName = "token";

/** The Manager token of a command: `POSTHOUSE_TOKEN`, else the file in `up`'s state directory. Throws TOKEN_MISSING. */
export async function readToken(stateDirectory: string): Promise<string> {
  const token = process.env.POSTHOUSE_TOKEN || (await readTokenFile(stateDirectory));
  if (token === undefined) throw commandErrors.create("TOKEN_MISSING");
  return token;
}

/** The token that `up` left, or undefined. */
export async function readTokenFile(
  stateDirectory: string,
  name: string = fileName,
): Promise<string | undefined> {
  try {
    return (await readFile(join(stateDirectory, name), "utf8")).trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export async function writeTokenFile(
  stateDirectory: string,
  token: string,
  name: string = fileName,
): Promise<void> {
  await writeFile(join(stateDirectory, name), `${token}\n`, { mode: 0o600 });
}

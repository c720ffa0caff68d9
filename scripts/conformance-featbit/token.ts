import { isDeepStrictEqual } from "node:util";
import { parseConnectionToken, parseSecret } from "@posthouse/flags";
import { isPosthouseError } from "@posthouse/protocol";
import type { TokenVector } from "./vector.ts";

/** Takes a token apart; a token that is not valid must be refused with the error for it. */
export function checkToken({ token, valid, envId, ...rest }: TokenVector): string | undefined {
  const found = parse(token);
  if (!valid)
    return found === undefined ? undefined : `expected to be refused, found ${JSON.stringify(found)}`;
  if (found === undefined) return "expected to be valid, it is refused";
  const wanted = Object.fromEntries(Object.entries(rest).filter(([name]) => name in found));
  if (!isDeepStrictEqual({ ...found }, { ...found, ...wanted })) {
    return `expected ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`;
  }
  if (envId === undefined) return undefined;
  const ofSecret = parseSecret(found.secret).envId;
  return ofSecret === envId ? undefined : `envId: expected ${envId}, found ${ofSecret}`;
}

function parse(token: string): ReturnType<typeof parseConnectionToken> | undefined {
  try {
    return parseConnectionToken(token);
  } catch (error) {
    if (isPosthouseError(error)) return undefined;
    throw error;
  }
}

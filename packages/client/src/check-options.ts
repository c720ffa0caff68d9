import type { ClientOptions } from "./client-options.ts";
import { errors } from "./errors.ts";

/** Refuses what could only fail later, and less clearly. Throws CLIENT_OPTION_INVALID. */
export function checkOptions({ manager, checkEveryMs }: ClientOptions): void {
  const url = URL.canParse(manager.url) ? new URL(manager.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    invalid("manager.url", "it is no http:// or https:// address");
  if (url.search !== "" || url.hash !== "") invalid("manager.url", "it has a query or a fragment");
  for (const option of ["namespace", "project"] as const) {
    if (!/^[a-zA-Z0-9_-]+$/.test(manager[option]))
      invalid(`manager.${option}`, "it may hold letters, digits, - and _ only");
  }
  if (!/^[\x21-\x7e]+$/.test(manager.token))
    invalid("manager.token", "it is empty, or has spaces or unprintable characters");
  if (!/^[A-Za-z0-9-]+$/.test(manager.authorizationHeader ?? "a")) {
    invalid("manager.authorizationHeader", "it is no name of a header");
  }
  if (checkEveryMs !== undefined && !(checkEveryMs > 0 && checkEveryMs < 2 ** 31 / 1.1)) {
    invalid("checkEveryMs", "it is not between 0 and 22 days");
  }
}

function invalid(option: string, reason: string): never {
  throw errors.create("CLIENT_OPTION_INVALID", { option, reason });
}

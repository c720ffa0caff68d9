import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Redirect } from "@posthouse/protocol";
import { checkRedirect } from "@posthouse/rules";

/** `redirect_warnings(type, source, target, status)`: what is doubtful with a redirect, as JSON, or null. */
export function registerRuleFunctions(database: DatabaseSync): void {
  const options = { deterministic: true, varargs: true };
  database.function("redirect_warnings", options, (...values: SQLInputValue[]) => warnings(values));
}

function warnings([type, source, target, status]: SQLInputValue[]): string | null {
  const problems = checkRedirect({ type, source, target, status } as unknown as Redirect).filter(
    ({ severity }) => severity === "warning",
  );
  return problems.length === 0 ? null : JSON.stringify(problems);
}

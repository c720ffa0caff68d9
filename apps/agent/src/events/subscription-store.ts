/** What people did at run time, in `state.db`: subscriptions that were added, and which are paused or stopped. */
import type { DatabaseSync } from "node:sqlite";
import { openStateDatabase, withStateErrors } from "../core/state-database.ts";
import type { WantedState } from "./messages.ts";

export interface SubscriptionStore {
  /** As they were given, by name. @throws STATE_DATABASE_… */
  added(): ReadonlyMap<string, unknown>;
  put(name: string, value: unknown): void;
  remove(name: string): void;
  /** Those of which not `running` is wanted. */
  wanted(): ReadonlyMap<string, WantedState>;
  want(name: string, state: WantedState): void;
  close(): void;
}

const schema = `
  create table if not exists subscriptions (
    name text primary key,
    value text not null
  ) strict;
  create table if not exists subscription_states (
    name text primary key,
    wanted text not null
  ) strict;
`;

/** @throws STATE_DATABASE_DAMAGED, STATE_DATABASE_UNUSABLE */
export function openSubscriptionStore(file: string): SubscriptionStore {
  const database: DatabaseSync = openStateDatabase(file, schema);
  const run = (sql: string, ...values: string[]): void => {
    withStateErrors(file, () => database.prepare(sql).run(...values));
  };
  const rows = (sql: string): [string, string][] =>
    withStateErrors(file, () => database.prepare(sql).all()).map(({ name, value }) => [
      String(name),
      String(value),
    ]);
  return {
    added: () =>
      new Map(
        rows("select name, value from subscriptions order by name").map(([name, value]) => [
          name,
          JSON.parse(value),
        ]),
      ),
    put: (name, value) =>
      run(
        "insert into subscriptions (name, value) values (?, ?) on conflict do update set value = excluded.value",
        name,
        JSON.stringify(value),
      ),
    remove: (name) => run("delete from subscriptions where name = ?", name),
    wanted: () =>
      new Map(rows("select name, wanted as value from subscription_states") as [string, WantedState][]),
    want(name, state) {
      if (state === "running") run("delete from subscription_states where name = ?", name);
      else
        run(
          "insert into subscription_states (name, wanted) values (?, ?) on conflict do update set wanted = excluded.wanted",
          name,
          state,
        );
    },
    close: () => database.close(),
  };
}

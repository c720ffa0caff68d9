import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

const itemColumns = `kind text not null, type text not null, source text not null, target text, status text,
  content text, content_type text, hash blob not null`;
const ofProject = "project_id integer not null references project (id) on delete cascade";

const first = [
  `create table namespace (id integer primary key, code text not null unique, name text not null,
    created_at integer not null) strict`,
  `create table project (id integer primary key,
    namespace_id integer not null references namespace (id) on delete cascade, code text not null,
    name text not null, version integer not null default 1, hash blob not null, published_at integer,
    created_at integer not null, next_id integer not null default 1, redirects integer not null default 0,
    pages integer not null default 0, unique (namespace_id, code)) strict`,
  `create table item (${ofProject}, id integer not null, ${itemColumns}, primary key (project_id, id))
    strict, without rowid`,
  "create unique index item_source on item (project_id, kind, source)",
  "create index item_kind on item (project_id, kind, id)",
  `create table draft (${ofProject}, item_id integer not null, change text not null, ${itemColumns},
    created_at integer not null, primary key (project_id, item_id)) strict, without rowid`,
  "create unique index draft_source on draft (project_id, kind, source) where change <> 'DELETE'",
  `create table node (${ofProject}, level integer not null, idx integer not null, hash blob not null,
    primary key (project_id, level, idx)) strict, without rowid`,
  `create table change (${ofProject}, version integer not null, id integer not null, before text, after text,
    primary key (project_id, version, id)) strict, without rowid`,
  `create table version (${ofProject}, version integer not null, hash blob not null, published_at integer not null,
    published_by text not null, primary key (project_id, version)) strict, without rowid`,
  `create table agent (${ofProject}, name text not null, type text not null, status text not null,
    version integer not null, load_duration integer not null, error text not null, created_at integer not null,
    updated_at integer not null, last_hit_at integer not null, primary key (project_id, name)) strict, without rowid`,
  `create table token (id integer primary key, name text not null unique, hash blob not null unique,
    preview text not null, permissions text not null, admin text not null, expires_at integer,
    created_at integer not null) strict`,
  `create table user (id integer primary key, username text not null unique, password text not null,
    must_change integer not null, permissions text not null, admin text not null, created_at integer not null) strict`,
  `create table session (hash blob primary key, user_id integer not null references user (id) on delete cascade,
    expires_at integer not null) strict, without rowid`,
];

const none = { created: 0, updated: 0, deleted: 0 };
const noCounts = JSON.stringify({ redirects: none, pages: none });
const history = [
  `create table event (id integer primary key autoincrement,
    project_id integer references project (id) on delete cascade, resource text not null, action text not null,
    user_id integer references user (id) on delete set null, actor text not null, auth_type text not null,
    resource_id integer, data text not null, occurred_at integer not null) strict`,
  "create index event_of_project on event (project_id, id)",
  "alter table change drop column after",
  "create index change_of_item on change (project_id, id, version)",
  "alter table version add column action text not null default 'PUBLISH'",
  "alter table version add column restored integer",
  `alter table version add column counts text not null default '${noCounts}'`,
  `insert into version (project_id, version, hash, published_at, published_by, action)
    select id, 1, sha256(''), created_at, '', 'CREATE' from project`,
  "alter table item add column version integer not null default 1",
  "create index item_version on item (project_id, kind, version, id)",
];

const people = [
  "alter table namespace add column removed integer not null default 0",
  "alter table project add column removed integer not null default 0",
  "create table counter (name text primary key, value integer not null) strict, without rowid",
  "insert into counter select 'project', coalesce(max(id), 0) from project",
  "alter table user add column first_name text not null default ''",
  "alter table user add column last_name text not null default ''",
  "alter table user add column active integer not null default 1",
  `create table role (id integer primary key, code text not null unique, permissions text not null,
    admin text not null, created_at integer not null) strict`,
  `create table role_member (role_id integer not null references role (id) on delete cascade,
    user_id integer not null references user (id) on delete cascade, primary key (role_id, user_id))
    strict, without rowid`,
  "create index role_of_user on role_member (user_id)",
];

/** The steps that made the tables what they are. A published one is never edited. */
export const migrations: Record<string, Migration> = {
  "2026-11-first": all(first),
  "2026-11-history": all(history),
  "2026-11-people": all(people),
};

function all(statements: readonly string[]): Migration {
  return {
    async up(db: Kysely<unknown>) {
      for (const statement of statements) await sql.raw(statement).execute(db);
    },
  };
}

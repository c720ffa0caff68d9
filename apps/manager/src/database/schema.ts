import type { PageContentType, PageType, RedirectStatus, RedirectType } from "@posthouse/protocol";
import type { Generated } from "kysely";

export type Kind = "redirect" | "page";
export type ChangeType = "CREATE" | "UPDATE" | "DELETE";

export interface NamespaceTable {
  id: Generated<number>;
  code: string;
  name: string;
  created_at: number;
  removed: Generated<number>;
}

export interface ProjectTable {
  id: Generated<number>;
  namespace_id: number;
  code: string;
  name: string;
  version: Generated<number>;
  /** Root of the hash tree of the published items. */
  hash: Uint8Array;
  published_at: number | null;
  created_at: number;
  next_id: Generated<number>;
  redirects: Generated<number>;
  pages: Generated<number>;
  /** 1 once nobody shall find it; its rows are being removed. */
  removed: Generated<number>;
}

/** The highest id given so far. */
export interface CounterTable {
  name: string;
  value: number;
}

/** A redirect or a page; of a page, `source` is the path. */
export interface ItemColumns {
  kind: Kind;
  type: RedirectType | PageType;
  source: string;
  target: string | null;
  status: RedirectStatus | null;
  content: string | null;
  content_type: PageContentType | null;
}

export interface ItemTable extends ItemColumns {
  project_id: number;
  id: number;
  hash: Uint8Array;
  /** The version that changed it last. */
  version: number;
}

/** A pending change: at most one per item, with the values and the hash the item will have. */
export interface DraftTable extends ItemColumns {
  project_id: number;
  item_id: number;
  change: ChangeType;
  hash: Uint8Array;
  created_at: number;
}

/** The hash tree: leaves at level 1, branches at level 2. */
export interface NodeTable {
  project_id: number;
  level: number;
  idx: number;
  hash: Uint8Array;
}

/**
 * What a version changed: the canonical line that each item had before, none for a new item. What it had after is the
 * `before` of its next change, or the item itself.
 */
export interface ChangeTable {
  project_id: number;
  version: number;
  id: number;
  before: string | null;
}

/** How a version came to be. */
export type VersionAction = "CREATE" | "PUBLISH" | "RESTORE" | "TRUNCATE";

export interface VersionTable {
  project_id: number;
  version: number;
  hash: Uint8Array;
  published_at: number;
  published_by: string;
  action: VersionAction;
  /** The version that it restored. */
  restored: number | null;
  /** JSON: `{redirects: {created, updated, deleted}, pages: {…}}`. */
  counts: Generated<string>;
}

export interface AgentTable {
  project_id: number;
  name: string;
  type: string;
  status: string;
  version: number;
  /** Nanoseconds. */
  load_duration: number;
  error: string;
  created_at: number;
  updated_at: number;
  last_hit_at: number;
}

/** Permissions are kept as JSON. Times are milliseconds since 1970. */
export interface TokenTable {
  id: Generated<number>;
  name: string;
  hash: Uint8Array;
  preview: string;
  permissions: string;
  admin: string;
  expires_at: number | null;
  created_at: number;
}

export interface UserTable {
  id: Generated<number>;
  username: string;
  password: string;
  must_change: number;
  permissions: string;
  admin: string;
  created_at: number;
  first_name: Generated<string>;
  last_name: Generated<string>;
  active: Generated<number>;
}

/** Rights under a name, for whoever is a member. */
export interface RoleTable {
  id: Generated<number>;
  code: string;
  permissions: string;
  admin: string;
  created_at: number;
}

export interface RoleMemberTable {
  role_id: number;
  user_id: number;
}

export interface SessionTable {
  hash: Uint8Array;
  user_id: number;
  expires_at: number;
}

/** What somebody did. Without a project: to the Manager itself. */
export interface EventTable {
  id: Generated<number>;
  project_id: number | null;
  resource: string;
  action: string;
  user_id: number | null;
  actor: string;
  auth_type: string;
  resource_id: number | null;
  /** JSON. */
  data: string;
  occurred_at: number;
}

export interface Schema {
  namespace: NamespaceTable;
  project: ProjectTable;
  counter: CounterTable;
  item: ItemTable;
  draft: DraftTable;
  node: NodeTable;
  change: ChangeTable;
  version: VersionTable;
  agent: AgentTable;
  token: TokenTable;
  user: UserTable;
  role: RoleTable;
  role_member: RoleMemberTable;
  session: SessionTable;
  event: EventTable;
}

import type { AgentStore } from "./agent.ts";
import type { ChangeStore } from "./change.ts";
import type { DraftStore } from "./draft.ts";
import type { Importer } from "./import.ts";
import type { ItemStore } from "./item.ts";
import type { ItemSearch } from "./item-search.ts";
import type { Journal } from "./journal.ts";
import type { ProjectStore } from "./project.ts";
import type { Publisher } from "./publish.ts";
import type { PublishWarnings } from "./publish-warnings.ts";
import type { RoleStore } from "./role.ts";
import type { SessionStore } from "./session.ts";
import type { SnapshotStore } from "./snapshot.ts";
import type { TokenStore } from "./token.ts";
import type { UserStore } from "./user.ts";
import type { VersionStore } from "./version.ts";

/** Everything the API reads and writes. */
export interface Stores {
  readonly projects: ProjectStore;
  readonly items: ItemStore;
  readonly search: ItemSearch;
  readonly drafts: DraftStore;
  readonly importer: Importer;
  readonly publisher: Publisher;
  /** What is doubtful with what a version brought. */
  readonly publishWarnings: (projectId: number, version: number) => Promise<PublishWarnings>;
  readonly versions: VersionStore;
  readonly changes: ChangeStore;
  readonly snapshots: SnapshotStore;
  readonly tokens: TokenStore;
  readonly sessions: SessionStore;
  readonly users: UserStore;
  readonly roles: RoleStore;
  readonly agents: AgentStore;
  readonly journal: Journal;
}

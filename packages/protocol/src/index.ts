export {
  type AgentReport,
  codePattern,
  codeSchema,
  type ListPage,
  projectPath,
  syncHeader,
} from "./agent-api.ts";
export {
  createErrorCatalogue,
  type ErrorCatalogue,
  type ErrorDefinition,
  type ErrorValues,
  isPosthouseError,
  PosthouseError,
} from "./errors.ts";
export { branchOf, hashNode, hashRoot, leafOf, type Sha256 } from "./hash-tree.ts";
export {
  type Change,
  deletionSchema,
  formatItem,
  type Item,
  itemSchema,
  type PageItem,
  type RedirectItem,
} from "./item.ts";
export {
  type Page,
  type PageContentType,
  type PageType,
  pageContentTypes,
  pageSchema,
  pageTypes,
} from "./page.ts";
export {
  type Redirect,
  type RedirectCode,
  type RedirectStatus,
  type RedirectType,
  redirectSchema,
  redirectStatuses,
  redirectStatusNames,
  redirectTypes,
} from "./redirect.ts";
export {
  type ChangesHeader,
  changesHeaderSchema,
  type SnapshotHeader,
  snapshotHeaderSchema,
  type VersionEvent,
  versionEventSchema,
} from "./snapshot.ts";

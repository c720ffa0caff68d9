export type { AdapterOptions, RuleSource } from "./adapters/adapter.ts";
export {
  createNodeMiddleware,
  type NodeMiddleware,
  type NodeRequest,
  type NodeResponse,
} from "./adapters/node.ts";
export { createFileStore } from "./file-store.ts";

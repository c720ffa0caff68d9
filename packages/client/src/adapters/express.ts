import type { AdapterOptions, RuleSource } from "./adapter.ts";
import { createNodeMiddleware, type NodeMiddleware } from "./node.ts";

/**
 * For `app.use`. Rules are compared with the whole request target, also where the application or the router that uses
 * this is mounted below a path.
 */
export function createExpressMiddleware(source: RuleSource, options: AdapterOptions = {}): NodeMiddleware {
  return createNodeMiddleware(source, options);
}

export type { NodeMiddleware } from "./node.ts";

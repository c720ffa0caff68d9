import { stat } from "node:fs/promises";
import { type AgentConfig, ruleOptions, snapshotPath } from "@posthouse/agent";
import { fetchRules, readStoredRules } from "@posthouse/client";
import { createFileStore } from "@posthouse/client/node";
import { compileRules, type RuleSetOptions } from "@posthouse/rules";
import { readRuleFile } from "../rule-file/rule-file.ts";
import type { ProjectRules } from "./explained-request.ts";

/**
 * A project's rules as its agent has them: its rule file, or the copy in the state directory; where there is none, or
 * with `fetch`, what the Manager has now. Throws what reading and asking throw.
 */
export async function loadProjectRules(
  config: AgentConfig,
  name: string,
  { fetch }: { readonly fetch: boolean },
): Promise<ProjectRules> {
  const project = config.projects[name];
  if (project === undefined) throw new TypeError(`no project ${name}`);
  const { manager, file, compat } = project;
  const rules = ruleOptions(project);
  if (manager === undefined) return loadRuleFile(file ?? "", { rules });
  if (!fetch) {
    const path = snapshotPath(config.state, manager);
    const stored = await readStoredRules(createFileStore(path), manager, { rules });
    if (stored !== undefined) {
      const from = `version ${stored.version}, the agent's copy of ${await age(path)}: ${path}`;
      return { ...stored, from, compat };
    }
  }
  const fetched = await fetchRules(
    {
      url: manager.url,
      namespace: manager.namespace,
      project: manager.project,
      token: manager.token.reveal(),
      authorizationHeader: manager.authorization_header,
    },
    { rules },
  );
  const from = `version ${fetched.version}, from the Manager at ${manager.url}`;
  return { ...fetched, from, compat };
}

/** The rules of a file, compiled. Throws what `readRuleFile` throws. */
export async function loadRuleFile(
  file: string,
  { format, rules = {} }: { readonly format?: string | undefined; readonly rules?: RuleSetOptions },
): Promise<ProjectRules> {
  const { items, errors, lineOf } = await readRuleFile(file, { format, patternSize: rules.patternSize });
  const left = errors.length === 1 ? "1 entry is" : `${errors.length} entries are`;
  const unread = errors.length === 0 ? "" : `; ${left} left out for an error (posthouse check)`;
  return {
    ruleSet: compileRules(items, rules),
    from: `the file ${file}${unread}`,
    compat: rules.compat,
    placeOf: (item) => `${file}:${lineOf(item)}`,
  };
}

async function age(path: string): Promise<string> {
  const seconds = Math.max(0, (Date.now() - (await stat(path)).mtimeMs) / 1000);
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h ago`
    : `${Math.round(seconds / 86_400)} days ago`;
}

import type { AgentReport, PosthouseError } from "@posthouse/protocol";
import { agentName } from "./agent-name.ts";
import type { ClientOptions } from "./client-options.ts";
import { errors, reasonOf } from "./errors.ts";
import type { ManagerApi } from "./manager-api.ts";
import { problemsOf, type Snapshot } from "./snapshot.ts";

/** Tells the Manager what this agent serves. Throws AGENT_REPORT_FAILED, after which the next call reports in full. */
export interface Reporter {
  /** What is served now. A hit is enough when the Manager was told the same before and still knows this agent. */
  served(snapshot: Snapshot, loadMs: number): Promise<void>;
  /** That a version could not be loaded; `snapshot` is what is served meanwhile. */
  failed(
    version: number,
    snapshot: Snapshot | undefined,
    loadMs: number,
    error: PosthouseError,
  ): Promise<void>;
}

const maxErrorLength = 500;

export function createReporter(
  api: ManagerApi,
  { name, type = "default" }: ClientOptions["agent"],
): Reporter {
  const safeName = agentName(name);
  let known: string | undefined;

  const post = async (version: number, loadMs: number, error: string) => {
    const report: AgentReport = {
      name: safeName,
      status: error === "" ? "success" : "error",
      type,
      version,
      // A Manager refuses 0.
      load_duration: Math.max(1, Math.round(loadMs * 1e6)),
      error: error.slice(0, maxErrorLength).toWellFormed(),
    };
    known = undefined;
    try {
      await api.report(report);
    } catch (cause) {
      throw errors.create("AGENT_REPORT_FAILED", { reason: reasonOf(cause) }, { cause });
    }
    known = `${version} ${error}`;
  };

  return {
    async served(snapshot, loadMs) {
      const error = describeProblems(snapshot);
      if (known === `${snapshot.version} ${error}`) {
        const accepted = await api.hit(safeName).then(
          () => true,
          () => false,
        );
        if (accepted) return;
      }
      await post(snapshot.version, loadMs, error);
    },
    async failed(version, snapshot, loadMs, error) {
      // A Manager takes no report of version 0: an agent that serves nothing names the version it could not load.
      const text = `${error.code}: ${error.message}`;
      if (snapshot === undefined) await post(version, loadMs, `Nothing is served. ${text}`);
      else await post(snapshot.version, loadMs, `Version ${version} was not loaded. ${text}`);
    },
  };
}

function describeProblems(snapshot: Snapshot): string {
  const left = problemsOf(snapshot).filter(({ severity }) => severity === "error");
  if (left.length === 0) return "";
  const texts = left
    .slice(0, 10)
    .map(({ itemId, message }) => (itemId === undefined ? message : `${itemId}: ${message}`));
  return `${new Set(left.map(({ itemId }) => itemId)).size} left out. ${texts.join("; ")}`;
}

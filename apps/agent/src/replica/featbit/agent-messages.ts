/** What the agent says to FeatBit (2.2 to 2.5). */
import type { FlagState } from "./flag-state.ts";

/** FeatBit's server ignores what is longer (2.3). */
const mostBytes = 8192;

export const ping: string = JSON.stringify({ messageType: "ping", data: {} });

/** Asks for everything. */
export const fullRequest: string = formatRequest({ timestamp: 0 });

/** Asks for what is newer than each environment's mark, or for everything where that cannot be said. */
export function patchRequest({ environments, dataVersion }: FlagState): string {
  if (dataVersion === 0) return fullRequest;
  const envs = [...environments.values()].map(({ envId, mark }) => ({ envId, timestamp: mark }));
  const request = formatRequest({ timestamp: dataVersion, envs });
  return Buffer.byteLength(request) > mostBytes ? fullRequest : request;
}

function formatRequest(data: object): string {
  return JSON.stringify({ messageType: "data-sync", data });
}

/** A status report. Of very many environments only as many are named as FeatBit takes. */
export function statusReport<Status extends { readonly serves: string }>(
  agentId: string,
  status: Status,
): string {
  const report = JSON.stringify({
    messageType: "rp-agent-status",
    data: { agentId, status: JSON.stringify(status) },
  });
  const tooMany = Buffer.byteLength(report) - mostBytes;
  if (tooMany <= 0 || status.serves === "") return report;
  // A character of the text may take several bytes of the report, but not less than one.
  const serves = status.serves.slice(0, Math.max(0, status.serves.length - tooMany));
  return statusReport(agentId, { ...status, serves: serves.slice(0, Math.max(0, serves.lastIndexOf(","))) });
}

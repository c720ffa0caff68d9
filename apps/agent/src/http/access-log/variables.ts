import { headerLines } from "../header-lines.ts";
import type { AccessRecord, AccessRequest } from "./record.ts";
import { isoTime, localTime } from "./time.ts";

type Value = (record: AccessRecord, request: AccessRequest) => string | undefined;

const seconds = (ms: number): string => (ms / 1000).toFixed(3);
const protocol = ({ httpVersion }: AccessRequest): string =>
  httpVersion === "" ? "" : `HTTP/${httpVersion}`;

/** What a template may name, by the names that nginx has; `$http_NAME` is a header of the request. */
const variables: Readonly<Record<string, Value>> = {
  remote_addr: ({ client }) => client,
  remote_user: () => undefined,
  time_local: ({ arrivedAt }) => localTime(arrivedAt),
  time_iso8601: ({ arrivedAt }) => isoTime(arrivedAt),
  request: (_, request) => request.line ?? `${request.method} ${request.target} ${protocol(request)}`,
  request_method: (_, { method }) => method,
  request_uri: (_, { target }) => target,
  server_protocol: (_, request) => protocol(request),
  scheme: (_, { scheme }) => scheme,
  host: ({ host }) => host,
  status: ({ status }) => String(status),
  body_bytes_sent: ({ bytes }) => String(bytes),
  request_time: ({ durationMs }) => seconds(durationMs),
  upstream_addr: ({ upstream }) => upstream,
  upstream_response_time: ({ upstreamMs }) => (upstreamMs === undefined ? undefined : seconds(upstreamMs)),
  request_id: ({ requestId }) => requestId,
  project: ({ project }) => project,
  rule: ({ rule }) => (rule === undefined ? undefined : String(rule)),
};

export const variableNames: readonly string[] = Object.keys(variables);

/** The value behind a name, or undefined when there is none of that name. */
export function variable(name: string): Value | undefined {
  if (!name.startsWith("http_")) return Object.hasOwn(variables, name) ? variables[name] : undefined;
  const header = name.slice("http_".length).replaceAll("_", "-").toLowerCase();
  return header === ""
    ? undefined
    : (_, { rawHeaders }) => joined(headerLines(rawHeaders, header), header === "cookie" ? "; " : ", ");
}

function joined(lines: readonly string[], between: string): string | undefined {
  return lines.length === 0 ? undefined : lines.join(between);
}

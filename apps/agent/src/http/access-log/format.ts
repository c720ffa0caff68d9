import { headerLines } from "../header-lines.ts";
import { escapeField, escapeJson } from "./escape.ts";
import type { AccessFormat, AccessRecord, AccessRequest } from "./record.ts";
import { variable } from "./variables.ts";

const combined =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';
const reference = /\$(\w+)/g;

/** What is wrong with a template: the first name in it that is no variable. */
export function unknownVariable(template: string): string | undefined {
  for (const [, name = ""] of template.matchAll(reference)) {
    if (variable(name) === undefined) return name;
  }
  return undefined;
}

/** Makes the writer of lines: `combined`, `json`, or a template with `$variables`, of which unknown ones stay as they are. */
export function createAccessFormat(format: string): AccessFormat {
  if (format === "json") return formatJson;
  return compile(format === "combined" ? combined : format);
}

function compile(template: string): AccessFormat {
  const texts: string[] = [];
  const values: ReturnType<typeof variable>[] = [];
  let last = 0;
  for (const match of template.matchAll(reference)) {
    const value = variable(match[1] ?? "");
    if (value === undefined) continue;
    texts.push(template.slice(last, match.index));
    values.push(value);
    last = match.index + match[0].length;
  }
  const rest = template.slice(last);
  return (record, request) => {
    let line = "";
    for (let index = 0; index < values.length; index++)
      line += `${texts[index]}${escapeField(values[index]?.(record, request) || "-")}`;
    return line + rest;
  };
}

function formatJson(record: AccessRecord, request: AccessRequest): string {
  const text = (name: string, value: string | undefined): string =>
    value === undefined ? "" : `,"${name}":${escapeJson(value)}`;
  const milliseconds = (ms: number): number => Math.round(ms * 1000) / 1000;
  let line = `{"time":"${new Date(record.arrivedAt).toISOString()}","client":${escapeJson(record.client)}`;
  if (request.line === undefined) {
    line += `${text("method", request.method)}${text("scheme", request.scheme)}${text("host", record.host)}`;
    line += `${text("target", request.target)}${text("protocol", `HTTP/${request.httpVersion}`)}`;
  } else line += `${text("scheme", request.scheme)}${text("request", request.line)}`;
  line += `,"status":${record.status},"bytes":${record.bytes},"duration_ms":${milliseconds(record.durationMs)}`;
  line += text("upstream", record.upstream);
  if (record.upstreamMs !== undefined) line += `,"upstream_ms":${milliseconds(record.upstreamMs)}`;
  line += `${text("request_id", record.requestId)}${text("project", record.project)}`;
  if (record.rule !== undefined) line += `,"rule":${record.rule}`;
  line += text("referer", headerLines(request.rawHeaders, "referer")[0]);
  return `${line}${text("user_agent", headerLines(request.rawHeaders, "user-agent")[0])}}`;
}

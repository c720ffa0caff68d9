import { encodeUtf8 } from "./bytes.ts";
import { formatLocation } from "./location.ts";
import { isKnownTag, pageTag } from "./page-tag.ts";
import type { Match, PageMatch } from "./rule-set.ts";
import { escapeByte } from "./url-path.ts";

/** What is sent for a match. Content-Length is left to the server; a 304 has none. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const statusTexts: Readonly<Record<number, string>> = {
  301: "Moved Permanently",
  302: "Found",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
};

export interface AnswerRequest {
  readonly method: string;
  readonly host: string;
  readonly uri: string;
  /** The header If-None-Match, where there is one. */
  readonly ifNoneMatch?: string | undefined;
}

/**
 * Makes the answer of a match: the Location is resolved and cleaned, and a GET has a small page with a link.
 * A page has an ETag, and is answered with 304 where the client has it already.
 * Without `compat` a rule's target can never be turned into another site by the request; with it no page has an ETag.
 */
export function formatAnswer(
  match: Match,
  request: AnswerRequest,
  options: { readonly compat?: "flecto" | undefined } = {},
): Answer {
  if (match.kind === "page") return formatPage(match, request, options.compat);
  const location = formatLocation(match, request.uri, options.compat);
  const headers: [string, string][] = [["Location", headerValue(location)]];
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { status: match.status, headers, body: "" };
  }
  headers.push(["Content-Type", "text/html; charset=utf-8"]);
  const link = `<a href="${escapeHtml(location)}">${statusTexts[match.status] ?? ""}</a>.\n\n`;
  return { status: match.status, headers, body: request.method === "GET" ? link : "" };
}

function formatPage(match: PageMatch, { method, ifNoneMatch }: AnswerRequest, compat?: "flecto"): Answer {
  const body = method === "HEAD" ? "" : match.content;
  const headers: [string, string][] = [["Content-Type", match.contentType]];
  if (compat === "flecto") return { status: match.status, headers, body };
  const tag = pageTag(match);
  if (ifNoneMatch !== undefined && (method === "GET" || method === "HEAD") && isKnownTag(ifNoneMatch, tag)) {
    return { status: 304, headers: [["ETag", tag]], body: "" };
  }
  headers.push(["ETag", tag]);
  return { status: match.status, headers, body };
}

/** As Go's: bytes above ASCII as `%xx`, line ends as blanks. Other control characters may not stand in a header at all. */
function headerValue(text: string): string {
  if (/^[\x21-\x7e]*$/.test(text)) return text;
  let value = "";
  for (const byte of encodeUtf8(text)) {
    if (byte === 10 || byte === 13) value += " ";
    else if (byte >= 0x7f || (byte < 0x20 && byte !== 9)) value += escapeByte(byte);
    else value += String.fromCharCode(byte);
  }
  return value.replace(/^[ \t]+|[ \t]+$/g, "");
}

const htmlEscapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return /[&<>"']/.test(text)
    ? text.replace(/[&<>"']/g, (character) => htmlEscapes[character] ?? character)
    : text;
}

import { encodeUtf8 } from "./bytes.ts";
import { formatLocation } from "./location.ts";
import type { Match } from "./rule-set.ts";
import { escapeByte } from "./url-path.ts";

/** What is sent for a match. Content-Length is left to the server. */
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

/**
 * Makes the answer of a match: the Location is resolved and cleaned, and a GET has a small page with a link.
 * Without `compat` a rule's target can never be turned into another site by the request.
 */
export function formatAnswer(
  match: Match,
  request: { readonly method: string; readonly host: string; readonly uri: string },
  options: { readonly compat?: "flecto" | undefined } = {},
): Answer {
  if (match.kind === "page") {
    const body = request.method === "HEAD" ? "" : match.content;
    return { status: match.status, headers: [["Content-Type", match.contentType]], body };
  }
  const location = formatLocation(match, request.uri, options.compat);
  const headers: [string, string][] = [["Location", headerValue(location)]];
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { status: match.status, headers, body: "" };
  }
  headers.push(["Content-Type", "text/html; charset=utf-8"]);
  const link = `<a href="${escapeHtml(location)}">${statusTexts[match.status] ?? ""}</a>.\n\n`;
  return { status: match.status, headers, body: request.method === "GET" ? link : "" };
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

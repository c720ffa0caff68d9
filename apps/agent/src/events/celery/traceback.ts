import type { TaskDocument } from "./document.ts";
import { cutCharacters, cutKeyword } from "./text-cut.ts";

type Failure = Pick<TaskDocument, "traceback" | "lang" | "error" | "stack" | "trace">;

const longest = 30_000;
const retry = "celery.exceptions.Retry";
const python = /^Traceback \(most recent call last\):/m;
const lastLine = /(?:^|\n)([\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*): ([^\n]+)\n*$/u;

/** What a document says of a traceback: what Celery sent, its error by the last line, and it again for searching. */
export function describeTraceback(traceback: string, exception: string | undefined): Failure {
  if (traceback.includes(`${retry}:`)) {
    const message = cutKeyword(cutCharacters(exception ?? "", longest));
    const text = cutKeyword(cutCharacters(`${retry}: ${exception ?? ""}`, longest));
    return failure(cutKeyword(traceback), "python", { type: retry, message }, text);
  }
  const text = cutKeyword(cutCharacters(traceback, longest));
  if (!python.test(text)) return failure(text, "unknown", { type: "", message: "" }, text);
  const [, type = "", message = ""] = lastLine.exec(text.slice(lastLineStart(text))) ?? [];
  return failure(text, "python", { type, message }, text);
}

function failure(
  traceback: string,
  lang: string,
  error: { type: string; message: string },
  text: string,
): Failure {
  return { traceback, lang, error, stack: [], trace: { raw: text, text, wc: text } };
}

/** Where the last line begins that is not empty. */
function lastLineStart(text: string): number {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0x0a) end--;
  return end === 0 ? 0 : text.lastIndexOf("\n", end - 1) + 1;
}

/** Go's `encoding/csv` with lazy quotes, fed in pieces of any size. */
export interface RecordReader {
  push(text: string): Row[];
  end(): Row[];
}

/** The cells of a record, and the line of the file on which it starts, from 1. */
export interface Row {
  readonly cells: readonly string[];
  readonly fileLine: number;
}

/** Text and cells of one record that are kept; what is beyond is dropped (an open quote swallows the rest of a file). */
const longestRecord = 1_048_576;
const mostCells = 64;

/** Where the reader is; `quote` and `quoteReturn` are behind a `"`, and a `"\r`, that may end a quoted cell. */
type Mode = "start" | "plain" | "quoted" | "quote" | "quoteReturn";

/** Makes a reader of records: cells between separators, quoted ones may span lines, blank lines are skipped. */
export function createRecordReader(separator: string): RecordReader {
  let mode: Mode = "start";
  let cells: string[] = [];
  let cell = "";
  let kept = 0;
  let records: Row[] = [];
  let line = 1;
  let startLine = 1;

  function keep(text: string): void {
    const part = kept + text.length > longestRecord ? text.slice(0, longestRecord - kept) : text;
    cell += part;
    kept += part.length;
  }

  function endCell(): void {
    if (cells.length < mostCells) cells.push(cell);
    cell = "";
    mode = "start";
  }

  function endRecord(): void {
    const isBlank = mode !== "quote" && mode !== "quoteReturn" && mode !== "quoted" && cells.length === 0;
    if (!isBlank || cell !== "") {
      endCell();
      records.push({ cells, fileLine: startLine });
      cells = [];
    }
    mode = "start";
    kept = 0;
    line += 1;
    startLine = line;
  }

  function readPiece(text: string): void {
    const nextSeparator = createFinder(text, separator);
    const nextNewline = createFinder(text, "\n");
    const nextQuote = createFinder(text, '"');
    let at = 0;
    while (at < text.length) {
      const character = text[at] ?? "";
      if (mode === "start") {
        mode = character === '"' ? "quoted" : "plain";
        if (character === '"') at += 1;
      } else if (mode === "plain") {
        const end = Math.min(nextSeparator(at), nextNewline(at));
        keep(text.slice(at, end));
        if (end < text.length) {
          if (text[end] === "\n") {
            cell = withoutReturn(cell);
            endRecord();
          } else endCell();
        }
        at = end + 1;
      } else if (mode === "quoted") {
        const end = Math.min(nextQuote(at), nextNewline(at));
        keep(text.slice(at, end));
        if (text[end] === '"') mode = "quote";
        else if (end < text.length) {
          cell = withoutReturn(cell);
          keep("\n");
          line += 1;
        }
        at = end + 1;
      } else if (character === "\n") {
        endRecord();
        at += 1;
      } else if (mode === "quoteReturn") {
        keep('"\r');
        mode = "quoted";
      } else {
        if (character === separator) endCell();
        else if (character === "\r") mode = "quoteReturn";
        else {
          keep(character === '"' ? '"' : `"${character}`);
          mode = "quoted";
        }
        at += 1;
      }
    }
  }

  function take(): Row[] {
    const read = records;
    records = [];
    return read;
  }

  return {
    push(text) {
      readPiece(text);
      return take();
    },
    end() {
      if (mode === "plain") cell = withoutReturn(cell);
      if (mode === "quoted") cell = cell.endsWith("\n") ? cell.slice(0, -1) : withoutReturn(cell);
      endRecord();
      return take();
    },
  };
}

/** The next place of a character from `at` on, or the text's length. Calls must go forward. */
function createFinder(text: string, character: string): (at: number) => number {
  let next = -1;
  return (at) => {
    if (next < at) {
      next = text.indexOf(character, at);
      if (next < 0) next = text.length;
    }
    return next;
  };
}

function withoutReturn(text: string): string {
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

/** Go's `encoding/csv` with lazy quotes, fed in pieces. */
export interface RecordReader {
  push(text: string): string[][];
  end(): string[][];
}

/** Text of one record that is kept; what is beyond is dropped (an open quote swallows the rest of a file). */
const longestRecord = 1_048_576;

/** Makes a reader of records: cells between separators, quoted ones may span lines, blank lines are skipped. */
export function createRecordReader(separator: string): RecordReader {
  let pending = "";
  let cells: string[] = [];
  let open: string | undefined;

  function readLine(line: string, records: string[][]): void {
    let rest = line;
    if (open === undefined) {
      if (rest === "") return;
      cells = [];
    }
    for (;;) {
      if (open === undefined) {
        if (rest.startsWith('"')) {
          open = "";
          rest = rest.slice(1);
          continue;
        }
        const end = rest.indexOf(separator);
        cells.push(end < 0 ? rest : rest.slice(0, end));
        if (end < 0) break;
        rest = rest.slice(end + 1);
        continue;
      }
      const quote = rest.indexOf('"');
      if (quote < 0) {
        if (open.length < longestRecord) open += `${rest}\n`;
        return;
      }
      open += rest.slice(0, quote);
      const next = rest.slice(quote + 1, quote + 2);
      rest = rest.slice(quote + 1);
      if (next === '"') {
        open += '"';
        rest = rest.slice(1);
      } else if (next === separator || next === "") {
        cells.push(open);
        open = undefined;
        if (next === "") break;
        rest = rest.slice(1);
      } else open += '"';
    }
    records.push(cells);
  }

  return {
    push(text) {
      const records: string[][] = [];
      const lines = (pending + text).split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) readLine(line.endsWith("\r") ? line.slice(0, -1) : line, records);
      if (open !== undefined && open.length >= longestRecord && !pending.includes('"')) pending = "";
      return records;
    },
    end() {
      const records: string[][] = [];
      if (pending !== "") readLine(pending.endsWith("\r") ? pending.slice(0, -1) : pending, records);
      pending = "";
      if (open !== undefined) {
        cells.push(open.endsWith("\n") ? open.slice(0, -1) : open);
        records.push(cells);
        open = undefined;
      }
      return records;
    },
  };
}

/** Reads a chunked body (RFC 9112, 7.1). Strict: only CRLF ends a line, sizes are hexadecimal digits and nothing else. */
import { garbage } from "./response-head.ts";
import { parseTrailers } from "./trailers.ts";

export interface ChunkedReader {
  readonly isDone: boolean;
  /** Once done: names and values in turn. */
  readonly trailers: readonly string[];
  /** Reads on and says how many bytes belonged to the body. @throws BACKEND_GARBAGE */
  feed(bytes: Buffer, onData: (data: Buffer) => void): number;
}

type Place = "size" | "data" | "data end" | "trailers" | "done";

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const quoted = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
/** Extensions are read to be sure where they end, and dropped. */
const sizeLine: RegExp = new RegExp(`^([0-9A-Fa-f]{1,13})(?:;${token}(?:=(?:${token}|${quoted}))?)*$`);
const maxSizeLine = 4096;
const [cr, lf] = [13, 10];

export function createChunkedReader(maxTrailerBytes: number): ChunkedReader {
  let place: Place = "size";
  let line = "";
  let remaining = 0;
  let trailerText = "";
  let trailers: readonly string[] = [];

  /** Collects a line; gives the offset behind its CRLF, or -1 when it goes on. */
  function readLine(bytes: Buffer, from: number, limit: number): number {
    const end = bytes.indexOf(lf, from);
    const to = end === -1 ? bytes.length : end + 1;
    if (line.length + to - from > limit) throw garbage("a chunk's line is too long");
    line += bytes.toString("latin1", from, to);
    if (end === -1) return -1;
    if (line.charCodeAt(line.length - 2) !== cr || line.indexOf("\r") !== line.length - 2)
      throw garbage("a line that does not end in CRLF");
    line = line.slice(0, -2);
    return to;
  }

  function takeLine(): string {
    const taken = line;
    line = "";
    return taken;
  }

  function beginChunk(text: string): void {
    const size = sizeLine.exec(text)?.[1];
    if (size === undefined) throw garbage("a chunk size that is none");
    remaining = Number.parseInt(size, 16);
    place = remaining === 0 ? "trailers" : "data";
  }

  function addTrailer(text: string): void {
    if (text === "") {
      trailers = parseTrailers(trailerText);
      place = "done";
      return;
    }
    trailerText += `${text}\r\n`;
    if (trailerText.length > maxTrailerBytes) throw garbage("trailers that are too long");
  }

  return {
    get isDone() {
      return place === "done";
    },
    get trailers() {
      return trailers;
    },
    feed(bytes, onData) {
      let at = 0;
      while (at < bytes.length && place !== "done") {
        if (place === "data") {
          const end = Math.min(bytes.length, at + remaining);
          onData(bytes.subarray(at, end));
          remaining -= end - at;
          at = end;
          if (remaining === 0) place = "data end";
          continue;
        }
        const next = readLine(bytes, at, place === "data end" ? 2 : maxSizeLine);
        if (next === -1) return bytes.length;
        at = next;
        const text = takeLine();
        if (place === "size") beginChunk(text);
        else if (place === "trailers") addTrailer(text);
        else if (text === "") place = "size";
        else throw garbage("a chunk longer than its size");
      }
      return at;
    },
  };
}

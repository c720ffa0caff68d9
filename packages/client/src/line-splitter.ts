/** Cuts a stream of bytes into lines. A line is ended by a newline; `end()` tells what was left without one. */
export interface LineSplitter {
  /** Throws a TypeError for bytes that are not UTF-8, a RangeError for a line that is too long. */
  push(bytes: Uint8Array): string[];
  end(): string;
}

const maxLineLength = 64 * 1024 * 1024;

export function createLineSplitter(maxLength: number = maxLineLength): LineSplitter {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let pieces: string[] = [];
  let length = 0;
  return {
    push(bytes) {
      const lines = decoder.decode(bytes, { stream: true }).split("\n");
      const rest = lines.pop() ?? "";
      if (lines.length > 0 && pieces.length > 0) {
        lines[0] = pieces.join("") + lines[0];
        pieces = [];
        length = 0;
      }
      if (rest !== "") pieces.push(rest);
      length += rest.length;
      if (length > maxLength) throw new RangeError(`a line is longer than ${maxLength} characters`);
      return lines;
    },
    end() {
      const rest = pieces.join("") + decoder.decode();
      pieces = [];
      length = 0;
      return rest;
    },
  };
}

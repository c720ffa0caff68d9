import { isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";

export type Path = readonly (string | number)[];
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One document of a YAML or JSON file as plain values, and where they stand. */
export interface LocatedDocument {
  readonly value: unknown;
  /** The place of the value at a path, or of the nearest that encloses it. */
  locate(path: Path): Place;
}

export type LocatedFile =
  | { readonly documents: readonly LocatedDocument[] }
  | { readonly fault: { readonly place: Place; readonly reason: string } };

/** Reads YAML of one document or several, and so JSON too. Never throws. */
export function readLocatedYaml(text: string): LocatedFile {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const content = text.startsWith("\uFEFF") ? text.slice(1) : text;
  const parsed = parseAllDocuments(content, { lineCounter: lines, prettyErrors: false });
  const documents = Array.isArray(parsed) ? parsed : [];
  const [error] = documents.flatMap(({ errors }) => errors);
  if (error !== undefined) {
    const reason = error.message.split("\n")[0] ?? error.message;
    return { fault: { place: placeAt(error.pos[0]), reason } };
  }
  try {
    return {
      documents: documents.map((document) => ({
        value: document.toJS() as unknown,
        locate: (path) => placeAt(offsetOf(document.contents, path)),
      })),
    };
  } catch (cause) {
    // An alias that names nothing, or one that makes the file huge.
    return { fault: { place: { line: 1, column: 1 }, reason: String((cause as Error).message) } };
  }
}

function offsetOf(root: Node | null, path: Path): number {
  let offset = root?.range?.[0] ?? 0;
  let here: unknown = root;
  for (const step of path) {
    const next = isSeq(here)
      ? here.items[Number(step)]
      : isMap(here)
        ? here.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(step))?.value
        : undefined;
    const key = isMap(here)
      ? here.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(step))?.key
      : undefined;
    const found = ((next ?? key) as Node | null | undefined)?.range?.[0];
    if (found === undefined) break;
    offset = found;
    here = next;
  }
  return offset;
}

import type { Redirect } from "@posthouse/protocol";

/** The first line of Flecto's tab-separated redirects, with its newline. */
export const tsvHeader = "type\tsource\ttarget\tstatus\n";

/** A redirect as a line of Flecto's tab-separated file. Cells are quoted only where they must be. */
export function formatTsvRow({ type, source, target, status }: Redirect): string {
  return `${type}\t${quote(source)}\t${quote(target)}\t${status}\n`;
}

function quote(cell: string): string {
  return cell.startsWith('"') || /[\t\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

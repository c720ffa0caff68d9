/** The values of a header, in order; `name` is lower case. */
export function headerLines(rawHeaders: readonly string[], name: string): string[] {
  const lines: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index];
    if (candidate?.length === name.length && candidate.toLowerCase() === name)
      lines.push(rawHeaders[index + 1] ?? "");
  }
  return lines;
}

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

/** Whether Content-Length says where the body ends. */
export function hasLength(headers: readonly string[]): boolean {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index];
    if (name?.length === 14 && name.toLowerCase() === "content-length") return true;
  }
  return false;
}

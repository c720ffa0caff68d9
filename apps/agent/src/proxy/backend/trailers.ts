import { forbiddenTrailers, garbage, parseFieldLine } from "./response-head.ts";

/** The trailers that may be passed on, names and values in turn; what frames or routes a message is dropped (RFC 9110, 6.5.1). */
export function parseTrailers(text: string): string[] {
  const trailers: string[] = [];
  for (const line of text.split("\r\n")) {
    if (line === "") continue;
    const [name, value] = parseFieldLine(line);
    if (!forbiddenTrailers.has(name.toLowerCase())) trailers.push(name, value);
  }
  if (trailers.length > 200) throw garbage("too many trailers");
  return trailers;
}

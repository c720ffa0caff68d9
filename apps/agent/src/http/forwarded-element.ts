/** One element of a `Forwarded` header (RFC 7239): what one proxy says of the request it received. Values are decoded. */
export interface ForwardedElement {
  readonly for?: string;
  readonly by?: string;
  readonly host?: string;
  readonly proto?: string;
}

/** `name=value;` where the value is printable ASCII, quoted or not; more is let through unquoted than RFC 7239 does. */
const pairPattern =
  /[ \t]*(?:([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[\t -!#-[\]-~]|\\[\t -~])*)"|([!#-+\--:<-~]*))[ \t]*)?(?:;|$)/y;
const tokenPattern = /^[\w!#$%&'*+.^`|~-]+$/;
const printablePattern = /^[ -~]*$/;
const maxPairs = 16;
const names = ["for", "by", "host", "proto"] as const;

/** Reads one element; undefined when it is malformed or has more than 16 parameters. Of a repeated parameter the first counts. */
export function parseForwardedElement(text: string): ForwardedElement | undefined {
  const element: { -readonly [name in keyof ForwardedElement]: string } = {};
  pairPattern.lastIndex = 0;
  for (let pairs = 0; pairPattern.lastIndex < text.length; pairs++) {
    const match = pairs < maxPairs ? pairPattern.exec(text) : null;
    if (match === null) return undefined;
    const [, name, quoted, plain = ""] = match;
    const known = names.find((candidate) => candidate === name?.toLowerCase());
    if (known !== undefined) element[known] ??= quoted?.replace(/\\(.)/g, "$1") ?? plain;
  }
  return element;
}

/** Writes one element, quoting what is no token. A value that holds more than printable ASCII is left out. */
export function formatForwardedElement(element: ForwardedElement): string {
  const pairs: string[] = [];
  for (const name of names) {
    const value = element[name];
    if (value !== undefined && printablePattern.test(value)) pairs.push(`${name}=${quoteUnlessToken(value)}`);
  }
  return pairs.join(";");
}

function quoteUnlessToken(value: string): string {
  return tokenPattern.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/**
 * The elements of `Forwarded` lines from the last to the first, trimmed, the empty ones skipped, `limit` at most. It
 * reads backwards: a quote that somebody left open cannot swallow what the proxies after him appended.
 */
export function* lastElementsFirst(lines: readonly string[], limit: number): Generator<string, void> {
  let seen = 0;
  for (const line of lines.toReversed()) {
    for (let end = line.length; end >= 0; ) {
      const start = elementStart(line, end);
      if (++seen > limit) return;
      const element = line.slice(start, end).trim();
      if (element !== "") yield element;
      end = start - 1;
    }
  }
}

function elementStart(line: string, end: number): number {
  let quoted = false;
  for (let index = end - 1; index >= 0; index--) {
    const character = line[index];
    if (character === '"') quoted = !quoted || line[index - 1] === "\\";
    else if (character === "," && !quoted) return index + 1;
  }
  return 0;
}

/**
 * One request and the answer to write: what every handler sees, whatever HTTP version and library carry it.
 * A handler that does not answer at once keeps the exchange and answers later; it answers once.
 */
export interface Exchange {
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  /** The Host header as it was sent; empty for HTTP/1.0 without one. */
  readonly authority: string;
  /** Names and values in turn, in the order received. */
  readonly rawHeaders: readonly string[];
  /** Address of the other end of the connection. */
  readonly peer: string | undefined;
  /** True when the client went away before the answer. */
  readonly aborted: boolean;
  /** A header of the answer, whatever that will be. The value is ASCII, or bytes as latin1. */
  addHeader(name: string, value: string): void;
  /**
   * Writes the whole answer. `headers` are names and values in turn; Content-Length is added. HEAD gets no body, nor
   * does 304.
   */
  answer(status: number, headers: string[], body: string): void;
}

/** Takes every exchange of a listener. What it throws becomes a 500. */
export interface ExchangeHandler {
  handle(exchange: Exchange): void;
}

/** A short text answer. */
export function answerText(exchange: Exchange, status: number, text: string, headers: string[] = []): void {
  exchange.answer(status, [...headers, "Content-Type", "text/plain; charset=utf-8"], text);
}

/** The value of a header, or undefined; the first when it stands there twice. */
export function headerValue({ rawHeaders }: Exchange, name: string): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index];
    if (candidate?.length === name.length && candidate.toLowerCase() === name) return rawHeaders[index + 1];
  }
  return undefined;
}

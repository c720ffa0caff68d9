import type { Duplex, Readable } from "node:stream";
import type { AccessRecord } from "./access-log/record.ts";
import type { Exchange, ExchangeListener } from "./exchange.ts";

/** Passes everything on to another exchange; subclasses change what they care for. */
export class ExchangeWrapper implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly rawHeaders: readonly string[];
  readonly record: AccessRecord | undefined;
  protected readonly inner: Exchange;

  constructor(inner: Exchange, record: AccessRecord | undefined = inner.record) {
    this.inner = inner;
    this.method = inner.method;
    this.target = inner.target;
    this.authority = inner.authority;
    this.rawHeaders = inner.rawHeaders;
    this.record = record;
  }

  get peer(): string | undefined {
    return this.inner.peer;
  }

  get httpVersion(): Exchange["httpVersion"] {
    return this.inner.httpVersion;
  }

  get scheme(): Exchange["scheme"] {
    return this.inner.scheme;
  }

  get body(): Readable | undefined {
    return this.inner.body;
  }

  get trailers(): readonly string[] {
    return this.inner.trailers;
  }

  get expectsContinue(): boolean {
    return this.inner.expectsContinue;
  }

  get upgrade(): string | undefined {
    return this.inner.upgrade;
  }

  get aborted(): boolean {
    return this.inner.aborted;
  }

  addHeader(name: string, value: string): void {
    this.inner.addHeader(name, value);
  }

  answer(status: number, headers: string[], body: string): void {
    this.inner.answer(status, headers, body);
  }

  listen(listener: ExchangeListener): void {
    this.inner.listen(listener);
  }

  inform(status: number, headers: string[]): void {
    this.inner.inform(status, headers);
  }

  send(status: number, reason: string, headers: string[], body: Buffer, lasts?: boolean): void {
    this.inner.send(status, reason, headers, body, lasts);
  }

  begin(status: number, reason: string, headers: string[]): void {
    this.inner.begin(status, reason, headers);
  }

  write(bytes: Buffer): boolean {
    return this.inner.write(bytes);
  }

  end(trailers: readonly string[]): void {
    this.inner.end(trailers);
  }

  abort(): void {
    this.inner.abort();
  }

  switchProtocols(headers: readonly string[] | undefined): Duplex {
    return this.inner.switchProtocols(headers);
  }
}

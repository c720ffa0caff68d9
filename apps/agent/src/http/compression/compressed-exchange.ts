import type { Exchange, ExchangeListener } from "../exchange.ts";
import { ExchangeWrapper } from "../exchange-wrapper.ts";
import { headerLines } from "../header-lines.ts";
import type { Encoding } from "./accept-encoding.ts";
import type { CompressionSlots } from "./compression.ts";
import { addVary, compressible, encodedHeaders } from "./eligible.ts";
import { createEncoder, type Encoder, encode, flushEncoder } from "./encoders.ts";
import { completeNotModified } from "./not-modified.ts";

/** What was written waits no longer than this for more, so that a page that comes slowly is seen as it comes. */
const flushAfterMs = 30;
/** The longest time in which a client takes nothing of what is left after the backend's end. */
const stalledMs = 60_000;

/** Compresses the answer on its way, where that is of use and the client accepts it. */
export class CompressedExchange extends ExchangeWrapper {
  readonly #encoding: Encoding | undefined;
  readonly #slots: CompressionSlots;
  #listener: ExchangeListener | undefined;
  #encoder: Encoder | undefined;
  #isEventStream = false;
  #isEnding = false;
  #flushTimer: NodeJS.Timeout | undefined;
  #stallTimer: NodeJS.Timeout | undefined;
  #trailers: readonly string[] = [];

  constructor(inner: Exchange, encoding: Encoding | undefined, slots: CompressionSlots) {
    super(inner);
    this.#encoding = encoding;
    this.#slots = slots;
  }

  override answer(status: number, headers: string[], body: string): void {
    const bytes = status === 200 || status === 304 ? Buffer.from(body) : undefined;
    const encoding = bytes && this.#choose(status, headers, bytes.length);
    if (bytes === undefined || encoding === undefined) {
      this.inner.answer(status, headers, body);
      return;
    }
    this.#sendEncoded(encoding, bytes, status, "OK", headers, () => this.inner.answer(status, headers, body));
  }

  override send(status: number, reason: string, headers: string[], body: Buffer, lasts?: boolean): void {
    const encoding = this.#choose(status, headers, body.length);
    if (encoding === undefined) {
      this.inner.send(status, reason, headers, body, lasts);
      return;
    }
    const kept = lasts ? body : Buffer.from(body);
    this.#sendEncoded(encoding, kept, status, reason, headers, () =>
      this.inner.send(status, reason, headers, kept, true),
    );
  }

  override listen(listener: ExchangeListener): void {
    this.#listener = listener;
    this.inner.listen({
      onDrain: () => this.#onDrain(),
      onClose: (refusedWith) => {
        this.#release();
        listener.onClose(refusedWith);
      },
    });
  }

  override begin(status: number, reason: string, headers: string[]): void {
    const encoding = this.#choose(status, headers);
    if (encoding === undefined) {
      this.inner.begin(status, reason, headers);
      return;
    }
    this.inner.begin(status, reason, encodedHeaders(headers, encoding));
    this.#isEventStream = compressible(status, headers)?.isEventStream === true;
    this.#startEncoder(encoding);
  }

  override write(bytes: Buffer): boolean {
    const encoder = this.#encoder;
    if (encoder === undefined) return this.inner.write(bytes);
    const flows = encoder.write(Buffer.from(bytes));
    if (this.#isEventStream) this.#flush();
    else this.#flushTimer ??= setTimeout(() => this.#flush(), flushAfterMs);
    return flows;
  }

  override end(trailers: readonly string[]): void {
    const encoder = this.#encoder;
    if (encoder === undefined) {
      this.inner.end(trailers);
      return;
    }
    clearTimeout(this.#flushTimer);
    this.#trailers = trailers;
    this.#isEnding = true;
    this.#stallTimer = setTimeout(() => this.abort(), stalledMs);
    encoder.end();
  }

  override abort(): void {
    this.#release();
    this.inner.abort();
  }

  /** The encoding of this answer, once its place is taken; also says in the headers what it depends on. */
  #choose(status: number, headers: string[], bytes?: number): Encoding | undefined {
    if (status === 304) {
      const held = headerLines(this.rawHeaders, "if-none-match");
      completeNotModified(headers, held, this.#encoding !== undefined);
    }
    if (compressible(status, headers, bytes) === undefined) return undefined;
    const encoding = this.#encoding;
    if (encoding !== undefined && this.#slots.take(encoding)) return encoding;
    addVary(headers);
    return undefined;
  }

  #sendEncoded(
    encoding: Encoding,
    body: Buffer,
    status: number,
    reason: string,
    headers: string[],
    sendAsItIs: () => void,
  ): void {
    encode(encoding, body, (error, encoded) => {
      this.#slots.release();
      if (this.inner.aborted) {
        this.inner.abort();
        return;
      }
      if (error !== null || encoded.length >= body.length) {
        addVary(headers);
        sendAsItIs();
        return;
      }
      const changed = encodedHeaders(headers, encoding);
      changed.push("Content-Length", String(encoded.length));
      this.inner.send(status, reason, changed, encoded, true);
    });
  }

  #startEncoder(encoding: Encoding): void {
    const encoder = createEncoder(encoding);
    this.#encoder = encoder;
    encoder.on("data", (chunk: Buffer) => {
      if (!this.inner.write(chunk)) encoder.pause();
    });
    encoder.on("drain", () => this.#listener?.onDrain());
    encoder.on("error", () => this.abort());
    encoder.on("end", () => {
      if (this.#encoder !== encoder) return;
      this.#release();
      this.inner.end(this.#trailers);
    });
  }

  #onDrain(): void {
    const encoder = this.#encoder;
    if (encoder !== undefined) {
      if (this.#isEnding) this.#stallTimer?.refresh();
      encoder.resume();
      if (encoder.writableNeedDrain) return;
    }
    this.#listener?.onDrain();
  }

  #flush(): void {
    this.#flushTimer = undefined;
    if (this.#encoder !== undefined) flushEncoder(this.#encoder);
  }

  #release(): void {
    clearTimeout(this.#flushTimer);
    clearTimeout(this.#stallTimer);
    const encoder = this.#encoder;
    if (encoder === undefined) return;
    this.#encoder = undefined;
    this.#slots.release();
    encoder.destroy();
  }
}

import type { Duplex } from "node:stream";
import { requestUri } from "@posthouse/rules";
import type { ClientAddressResolver } from "../client-address.ts";
import type { Exchange, ExchangeHandler, ExchangeListener } from "../exchange.ts";
import { ExchangeWrapper } from "../exchange-wrapper.ts";
import type { AccessFormat, AccessRecord } from "./record.ts";

/** The client went away before it had an answer: a status of nginx's own, known to readers of logs. */
const clientClosed = 499;

export interface AccessLogOptions {
  readonly format: AccessFormat;
  readonly file: { write(line: string): void };
  readonly clients: ClientAddressResolver;
}

/** Writes a line for every exchange that `handler` answers, once its answer is complete or cut off. */
export function createAccessLogHandler(handler: ExchangeHandler, options: AccessLogOptions): ExchangeHandler {
  const { format, file } = options;
  const watch = (exchange: Exchange): LoggedExchange =>
    new LoggedExchange(exchange, options.clients, (record) => file.write(format(record, exchange)));
  return {
    watch,
    handle(exchange) {
      const logged = watch(exchange);
      try {
        handler.handle(logged);
      } catch (error) {
        logged.failed();
        throw error;
      }
    },
  };
}

class LoggedExchange extends ExchangeWrapper {
  declare readonly record: AccessRecord;
  readonly #write: (record: AccessRecord) => void;
  readonly #begunAt = performance.now();
  #written = false;

  constructor(inner: Exchange, clients: ClientAddressResolver, write: (record: AccessRecord) => void) {
    super(inner, startRecord(inner, clients));
    this.#write = write;
  }

  override answer(status: number, headers: string[], body: string): void {
    this.inner.answer(status, headers, body);
    this.record.status = status;
    if (this.method !== "HEAD" && status !== 304) this.record.bytes = Buffer.byteLength(body);
    this.#done();
  }

  override listen(listener: ExchangeListener): void {
    this.inner.listen({
      onDrain: () => listener.onDrain(),
      onClose: () => {
        listener.onClose();
        this.#clientGone();
      },
    });
  }

  override send(status: number, reason: string, headers: string[], body: Buffer): void {
    this.record.status = status;
    this.record.bytes = body.length;
    this.inner.send(status, reason, headers, body);
    this.#done();
  }

  override begin(status: number, reason: string, headers: string[]): void {
    this.record.status = status;
    this.inner.begin(status, reason, headers);
  }

  override write(bytes: Buffer): boolean {
    this.record.bytes += bytes.length;
    return this.inner.write(bytes);
  }

  override end(trailers: readonly string[]): void {
    this.inner.end(trailers);
    this.#done();
  }

  override abort(): void {
    this.inner.abort();
    this.#clientGone();
  }

  override switchProtocols(headers: readonly string[]): Duplex {
    const socket = this.inner.switchProtocols(headers);
    this.record.status = 101;
    socket.once("close", () => {
      this.record.bytes = "bytesWritten" in socket ? Number(socket.bytesWritten) : 0;
      this.#done();
    });
    return socket;
  }

  failed(): void {
    if (this.record.status === 0) this.record.status = 500;
    this.#done();
  }

  #clientGone(): void {
    if (this.record.status === 0) this.record.status = clientClosed;
    this.#done();
  }

  #done(): void {
    if (this.#written) return;
    this.#written = true;
    this.record.durationMs = performance.now() - this.#begunAt;
    this.#write(this.record);
  }
}

function startRecord(exchange: Exchange, clients: ClientAddressResolver): AccessRecord {
  const host = requestUri(exchange.target)?.host ?? exchange.authority;
  const own = { scheme: exchange.scheme, host };
  return {
    arrivedAt: Date.now(),
    client: clients.resolve(exchange.peer ?? "", exchange.rawHeaders, own).ip,
    host,
    status: 0,
    bytes: 0,
    durationMs: 0,
    upstream: undefined,
    upstreamMs: undefined,
    requestId: undefined,
    project: undefined,
    rule: undefined,
  };
}

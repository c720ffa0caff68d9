import type { Duplex } from "node:stream";
import { requestUri } from "@posthouse/rules";
import type { ClientAddressResolver } from "../client-address.ts";
import type { Exchange, ExchangeHandler, ExchangeListener } from "../exchange.ts";
import { ExchangeWrapper } from "../exchange-wrapper.ts";
import { headerLines } from "../header-lines.ts";
import { clientClosed } from "../node1-refusals.ts";
import type { AccessLogFile } from "./file.ts";
import type { AccessFormat, AccessRecord } from "./record.ts";

export interface AccessLogOptions {
  readonly format: AccessFormat;
  readonly file: Pick<AccessLogFile, "write" | "awaited">;
  readonly clients: ClientAddressResolver;
}

/** Writes a line for every exchange that `handler` answers, once its answer is complete or cut off. */
export function createAccessLogHandler(handler: ExchangeHandler, options: AccessLogOptions): ExchangeHandler {
  const { format, file } = options;
  const watch = (exchange: Exchange): LoggedExchange => {
    file.awaited++;
    return new LoggedExchange(exchange, options.clients, (record) => {
      file.awaited--;
      file.write(format(record, exchange));
    });
  };
  return {
    watch,
    onRefused(refusal) {
      const { peer = "", status, bytes, rawHeaders } = refusal;
      const host = headerLines(rawHeaders, "host")[0] ?? "";
      file.write(format({ ...emptyRecord(host), client: peer, status, bytes }, refusal));
    },
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
      onClose: (refusedWith) => {
        listener.onClose(refusedWith);
        if (refusedWith !== undefined && this.record.status === 0) this.record.status = refusedWith;
        this.#clientGone();
      },
    });
  }

  override send(status: number, reason: string, headers: string[], body: Buffer, lasts?: boolean): void {
    this.record.status = status;
    this.record.bytes = body.length;
    this.inner.send(status, reason, headers, body, lasts);
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

  override switchProtocols(headers: readonly string[] | undefined): Duplex {
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
  return { ...emptyRecord(host), client: clients.resolve(exchange.peer ?? "", exchange.rawHeaders, own).ip };
}

function emptyRecord(host: string): AccessRecord {
  return {
    arrivedAt: Date.now(),
    client: "",
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

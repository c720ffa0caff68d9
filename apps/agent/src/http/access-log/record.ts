/** What is known of one request when its line is written. Handlers fill in what only they know. */
export interface AccessRecord {
  /** Unix time in milliseconds. */
  readonly arrivedAt: number;
  client: string;
  host: string;
  status: number;
  /** Of the body, as it was handed to the client's connection. */
  bytes: number;
  durationMs: number;
  upstream: string | undefined;
  /** From the request's sending to the backend's head. */
  upstreamMs: number | undefined;
  requestId: string | undefined;
  project: string | undefined;
  rule: number | undefined;
}

/** What a line says of the request itself. */
export interface AccessRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly scheme: string;
  readonly rawHeaders: readonly string[];
  /** The first line as it came, where it could not be read. */
  readonly line?: string | undefined;
}

/** Makes one line, without its end. */
export type AccessFormat = (record: AccessRecord, request: AccessRequest) => string;

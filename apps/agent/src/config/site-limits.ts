import { durationSchema, sizeSchema } from "@posthouse/service";
import * as z from "zod";

/** What one listener takes. Times in milliseconds, sizes in bytes. */
export interface SiteLimits {
  readonly connections: number;
  readonly requests_per_connection: number;
  readonly header_size: number;
  readonly headers: number;
  readonly header_time: number;
  readonly request_time: number;
  readonly keep_alive: number;
  readonly read_time: number;
  readonly http2_streams: number;
  readonly http2_resets: number;
}

const count = z.int().min(1).max(1_000_000);

/** Of a listener that takes so many connections unless told. */
export const makeSiteLimitsSchema = (connections: number): z.ZodType<SiteLimits> =>
  z.strictObject({
    connections: count.default(connections).describe("open connections; more are closed at once"),
    requests_per_connection: count.default(100_000).describe("requests after which a connection is closed"),
    header_size: sizeSchema
      .prefault("16KiB")
      .refine((bytes) => bytes >= 1024 && bytes <= 1024 * 1024, "expected 1KiB to 1MiB")
      .describe("request line and headers; above it 431"),
    headers: count.max(10_000).default(256).describe("header lines; above it 431"),
    header_time: durationSchema
      .prefault("10s")
      .describe("for all headers to arrive; then 408; 0s is without limit"),
    request_time: durationSchema
      .prefault("5m")
      .describe("for a whole request with its body to arrive; then 408; 0s is without limit"),
    keep_alive: durationSchema
      .prefault("65s")
      .describe("how long an idle connection stays open; 0s is without limit"),
    read_time: durationSchema
      .prefault("60s")
      .describe(
        "how long a client may take nothing of an answer that waits for it, a second more for each KiB above 64; then it is cut; 0s is without limit",
      ),
    http2_streams: count
      .max(1000)
      .default(128)
      .describe("HTTP/2: requests of one connection at once; more are refused"),
    http2_resets: count
      .default(10)
      .describe(
        "HTTP/2: requests that one connection may cut short, each second, and 20 times as many at once; then it is closed",
      ),
  }) as unknown as z.ZodType<SiteLimits>;

export const siteLimitsSchema: z.ZodType<SiteLimits> = makeSiteLimitsSchema(10_000);

export const defaultSiteLimits: SiteLimits = siteLimitsSchema.parse({});

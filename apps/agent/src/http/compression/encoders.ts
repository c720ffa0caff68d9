import {
  type BrotliCompress,
  type BrotliOptions,
  brotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  type Gzip,
  gzip,
  type ZstdCompress,
  zstdCompress,
} from "node:zlib";
import type { Encoding } from "./accept-encoding.ts";

export type Encoder = BrotliCompress | ZstdCompress | Gzip;

// Levels at which a whole CPU is still faster than most networks.
const gzipOptions = { level: 5 };
const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/** A window as large as the text is enough, and smaller ones cost less memory. */
function brotliOptions(bytes: number | undefined): BrotliOptions {
  const params: Record<number, number> = {
    [constants.BROTLI_PARAM_QUALITY]: 4,
    [constants.BROTLI_PARAM_LGWIN]: 18,
  };
  if (bytes !== undefined) params[constants.BROTLI_PARAM_SIZE_HINT] = bytes;
  return { params };
}

export function createEncoder(encoding: Encoding): Encoder {
  switch (encoding) {
    case "br":
      return createBrotliCompress(brotliOptions(undefined));
    case "zstd":
      return createZstdCompress(zstdOptions);
    case "gzip":
      return createGzip(gzipOptions);
  }
}

/** Compresses a whole body, in a thread of the pool. */
export function encode(
  encoding: Encoding,
  body: Buffer,
  done: (error: Error | null, encoded: Buffer) => void,
): void {
  switch (encoding) {
    case "br":
      brotliCompress(body, brotliOptions(body.length), done);
      break;
    case "zstd":
      zstdCompress(body, zstdOptions, done);
      break;
    case "gzip":
      gzip(body, gzipOptions, done);
  }
}

/** Lets out what was written so far, in as few bytes as that can be done. */
export function flushEncoder(encoder: Encoder): void {
  if ("params" in encoder) encoder.flush(constants.Z_SYNC_FLUSH);
  else encoder.flush();
}

import { type Exchange, headerValue } from "./exchange.ts";

/** What a body was refused for. */
export class BodyRefused extends Error {
  readonly status: 400 | 413 | 415;

  constructor(status: 400 | 413 | 415, reason: string) {
    super(reason);
    this.status = status;
  }
}

/** The JSON that a request carries, as bytes. Throws BodyRefused; rejects when the client goes away. */
export async function readJsonBytes(exchange: Exchange, maxBytes: number): Promise<Buffer> {
  const type = headerValue(exchange, "content-type") ?? "";
  if (!/^\s*application\/([\w.-]+\+)?json\s*(;|$)/i.test(type))
    throw new BodyRefused(415, "expected the header Content-Type: application/json");
  return readBody(exchange, maxBytes);
}

/** The same, parsed. */
export async function readJson(exchange: Exchange, maxBytes: number): Promise<unknown> {
  const bytes = await readJsonBytes(exchange, maxBytes);
  try {
    return JSON.parse(bytes.toString("utf8").replace(/^\ufeff/, ""));
  } catch {
    throw new BodyRefused(400, "the body is not JSON");
  }
}

async function readBody(exchange: Exchange, maxBytes: number): Promise<Buffer> {
  const { body } = exchange;
  if (body === undefined) return Buffer.alloc(0);
  if (Number(headerValue(exchange, "content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (exchange.expectsContinue) exchange.inform(100, []);
  const pieces: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    const onData = (piece: Buffer): void => {
      size += piece.length;
      if (size <= maxBytes) return void pieces.push(piece);
      body.off("data", onData);
      reject(tooLarge(maxBytes));
    };
    body.on("data", onData);
    body.on("end", () => resolve(Buffer.concat(pieces)));
    body.on("error", reject);
    body.on("close", () => reject(new Error("the client went away")));
  });
}

const tooLarge = (maxBytes: number): BodyRefused =>
  new BodyRefused(413, `the body exceeds ${maxBytes} bytes`);

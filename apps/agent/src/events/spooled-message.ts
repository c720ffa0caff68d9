import { type BrokerMessage, largestMessageBytes } from "./celery/message.ts";

/**
 * A broker's message as a record of the spool, version 1: a byte for the version and how it is meant, with a flag for
 * what is replayed and one for what somebody may have delivered before, then
 * - plain: the body of an AMQP message of JSON in UTF-8, which is nearly every one
 * - described: the length of a JSON object with an AMQP message's properties (32 bits, little-endian), it, the body
 * - envelope: what was published on Redis
 * - cut: the number of bytes that it had (48 bits, little-endian), and its beginning: it was too large to be kept.
 */
export type SpooledMessage =
  | {
      readonly kind: "message";
      readonly message: BrokerMessage;
      /** Came from the dead letters: wanted although it was seen before. */
      readonly isReplay: boolean;
    }
  | { readonly kind: "cut"; readonly bytes: number; readonly beginning: Uint8Array }
  /** Of a version that is not known here. */
  | { readonly kind: "unknown" };

const plain = 0x10;
const described = 0x11;
const envelope = 0x12;
const cut = 0x13;
/** Added to the first byte of what is replayed. */
const replayed = 0x08;
/** Added to the first byte of what RabbitMQ, or the other of a pair, may have delivered before. */
const redelivered = 0x04;
/** A spool of messages takes records of this size: what is larger could not be taken apart. */
export const largestRecordBytes: number = largestMessageBytes + 64 * 1024;
/** So much is kept of a message that is too large. */
const keptBytes = 64 * 1024;

let scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** The record. Its bytes are good until the next call. */
export function encodeMessage(message: BrokerMessage, isReplay = false): Uint8Array {
  const flag = isReplay ? replayed : 0;
  const flags = message.isRedelivered === true ? flag | redelivered : flag;
  if (message.transport === "redis") return record(envelope | flags, [message.payload]);
  const { body, contentType, contentEncoding, compression } = message;
  const isPlain = contentType === "application/json" && contentEncoding === "utf-8" && compression == null;
  if (isPlain) return record(plain | flags, [body]);
  const properties = Buffer.from(
    JSON.stringify({
      contentType,
      contentEncoding,
      compression: compression == null || typeof compression === "string" ? compression : true,
    }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(properties.length);
  return record(described | flags, [length, properties, body]);
}

/** What is kept of a message that the spool does not take as a whole. */
export function encodeCut(message: BrokerMessage): Uint8Array {
  const bytes = bodyOf(message);
  const length = Buffer.alloc(6);
  length.writeUIntLE(bytes.length, 0, 6);
  return record(cut, [length, bytes.subarray(0, keptBytes)]);
}

/** Views of the record's own bytes. Never throws. */
export function decodeMessage(bytes: Uint8Array): SpooledMessage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = buffer[0] ?? 0;
  const isReplay = (first & replayed) !== 0;
  const isRedelivered = (first & redelivered) === 0 ? undefined : true;
  switch (first & ~(replayed | redelivered)) {
    case plain:
      return { kind: "message", isReplay, message: { ...json, body: buffer.subarray(1), isRedelivered } };
    case described: {
      const end = buffer.length < 5 ? Number.POSITIVE_INFINITY : 5 + buffer.readUInt32LE(1);
      const properties = end > buffer.length ? undefined : parse(buffer.toString("utf8", 5, end));
      if (properties === undefined) return { kind: "unknown" };
      return {
        kind: "message",
        isReplay,
        message: { transport: "amqp", ...properties, body: buffer.subarray(end), isRedelivered },
      };
    }
    case envelope:
      return {
        kind: "message",
        isReplay,
        message: { transport: "redis", payload: buffer.subarray(1), isRedelivered },
      };
    case cut:
      if (buffer.length < 7) return { kind: "unknown" };
      return { kind: "cut", bytes: buffer.readUIntLE(1, 6), beginning: buffer.subarray(7) };
    default:
      return { kind: "unknown" };
  }
}

/** As the broker gave it. */
export function bodyOf(message: BrokerMessage): Uint8Array {
  return message.transport === "amqp" ? message.body : message.payload;
}

const json = { transport: "amqp", contentType: "application/json", contentEncoding: "utf-8" } as const;

/** A message that holds one event as JSON. */
export function messageOf(body: Uint8Array): BrokerMessage {
  return { ...json, body };
}

function record(first: number, parts: readonly Uint8Array[]): Uint8Array {
  let length = 1;
  for (const part of parts) length += part.length;
  if (length > scratch.length && length <= 8 * 2 ** 20) scratch = Buffer.allocUnsafeSlow(2 * length);
  const into = length <= scratch.length ? scratch.subarray(0, length) : Buffer.allocUnsafeSlow(length);
  into[0] = first;
  let at = 1;
  for (const part of parts) {
    into.set(part, at);
    at += part.length;
  }
  return into;
}

function parse(
  text: string,
): { contentType?: string; contentEncoding?: string; compression?: unknown } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { isAscii, isUtf8 } from "node:buffer";
import { itemSources, parsePythonJson } from "./json-source.ts";
import { describePoison, type Poison, type PoisonReason } from "./poison.ts";

/** A message as the broker gave it: from RabbitMQ the body with its properties, from Redis what was published. */
export type BrokerMessage =
  | {
      readonly transport: "amqp";
      readonly body: Uint8Array;
      readonly contentType?: string | undefined;
      readonly contentEncoding?: string | undefined;
      /** The header `compression`. */
      readonly compression?: unknown;
      /** The broker gave it to somebody before, perhaps to us, who may have delivered it. */
      readonly isRedelivered?: true | undefined;
    }
  | {
      readonly transport: "redis";
      readonly payload: Uint8Array;
      /** The other agent of a pair may have delivered it. */
      readonly isRedelivered?: true | undefined;
    };

/** The values of a message, none of them looked at yet: one, or the items of a list, which may be empty. */
export interface MessageValues {
  readonly kind: "values";
  readonly values: readonly unknown[];
  /** The JSON text of one of them as it was sent. */
  source(index: number): string;
}

export const largestMessageBytes: number = 16 * 1024 * 1024;
const mostEvents = 10_000;

/** Takes a broker's message apart: envelope, encoding, JSON, list. Never throws, whatever the bytes are. */
export function decodeMessage(message: BrokerMessage): MessageValues | Poison {
  const raw = message.transport === "amqp" ? message.body : message.payload;
  const refuse = (reason: PoisonReason, detail: string): Poison => {
    return { kind: "poison", reason, detail: describePoison(detail), raw, scope: "message" };
  };
  if (raw.byteLength > largestMessageBytes) return refuse("too-large", `${raw.byteLength} bytes`);
  const opened = message.transport === "amqp" ? message : openEnvelope(message.payload);
  if (typeof opened === "string") return refuse("envelope", opened);
  if (opened.compression !== undefined && opened.compression !== null) {
    return refuse("compression", `compressed with ${asText(opened.compression) ?? "something unnamed"}`);
  }
  if (opened.contentType !== undefined && !/^application\/json *(;|$)/i.test(opened.contentType)) {
    return refuse("content-type", `the content type is ${opened.contentType}`);
  }
  let text: string | undefined;
  if (typeof opened.body === "string") text = opened.body;
  else {
    const encoding = (opened.contentEncoding ?? "utf-8").toLowerCase();
    const decoder = utf8Names.has(encoding) ? decodeUtf8 : charset(encoding);
    if (decoder === undefined) return refuse("content-encoding", `the content encoding is ${encoding}`);
    text = decoder(opened.body);
    if (text === undefined) return refuse("not-text", `the body is not in ${encoding}`);
  }
  const parsed = parsePythonJson(text);
  if (parsed === undefined) return refuse("not-json", `the body begins with ${text.slice(0, 80)}`);
  const { value } = parsed;
  if (Array.isArray(value)) {
    if (value.length > mostEvents) return refuse("too-large", `${value.length} events in one message`);
    let sources: string[] | undefined;
    return {
      kind: "values",
      values: value,
      source(index) {
        sources ??= itemSources(text);
        return sources[index] ?? "";
      },
    };
  }
  return { kind: "values", values: [value], source: () => text };
}

interface Opened {
  readonly body: Uint8Array | string;
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly compression?: unknown;
}

/** kombu's envelope; a text says what is wrong with it. */
function openEnvelope(payload: Uint8Array): Opened | string {
  const text = decodeUtf8(payload);
  const envelope = text === undefined ? undefined : asObject(parsePythonJson(text)?.value);
  if (envelope === undefined) return "the message is no JSON object";
  const { body } = envelope;
  if (typeof body !== "string") return "it has no body of type string";
  const encoding = asObject(envelope.properties)?.body_encoding;
  const opened = {
    contentType: asText(envelope["content-type"]),
    contentEncoding: asText(envelope["content-encoding"]),
    compression: asObject(envelope.headers)?.compression,
  };
  if (encoding === "base64") return { ...opened, body: Buffer.from(body, "base64") };
  if (encoding === undefined || encoding === null || encoding === "utf-8") return { ...opened, body };
  return `the body encoding is ${asText(encoding) ?? `a ${typeof encoding}`}`;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

const utf8Names: ReadonlySet<string> = new Set(["utf-8", "utf8", "us-ascii", "ascii", "binary", ""]);

function decodeUtf8(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isAscii(buffer)) return buffer.toString("latin1");
  if (!isUtf8(buffer)) return undefined;
  const text = buffer.toString("utf8");
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

function charset(encoding: string): ((bytes: Uint8Array) => string | undefined) | undefined {
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(encoding, { fatal: true });
  } catch {
    return undefined;
  }
  return (bytes) => {
    try {
      return decoder.decode(bytes);
    } catch {
      return undefined;
    }
  };
}

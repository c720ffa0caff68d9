/** Reads what SDKs are told, by searching: parsing ten thousand full answers would cost more than serving them. */

export interface Told {
  readonly type: "full" | "patch" | "pong" | "other";
  /** How many flags it holds. */
  readonly flags: number;
  /** The newest time in it, in milliseconds; 0 when it holds nothing. */
  readonly version: number;
}

const needle = (text: string): Buffer => Buffer.from(text);
const [pong, sync] = [needle('"messageType":"pong"'), needle('"messageType":"data-sync"')];
const [full, patch] = [needle('"eventType":"full"'), needle('"eventType":"patch"')];
const [timestamp, updatedAt] = [needle('"timestamp":'), needle('"updatedAt":"')];
/** Stands once in every flag. */
const flagMark = needle('"fallthrough":');

/** Types stand at the beginning of a message. */
const headBytes = 120;

/**
 * For server SDKs a whole environment gets the same bytes: what the last message was is kept, and compared with the
 * next of its length, because full answers and patches alternate.
 */
export class ServerReader {
  readonly #last: Map<number, { body: Buffer; told: Told }> = new Map();

  read(body: Buffer): Told {
    const known = this.#last.get(body.length);
    if (known?.body.equals(body)) return known.told;
    const type = typeOf(body);
    let flags = 0;
    for (let at = body.indexOf(flagMark); at >= 0; at = body.indexOf(flagMark, at + flagMark.length)) flags++;
    let version = 0;
    for (let at = body.indexOf(updatedAt); at >= 0; at = body.indexOf(updatedAt, at)) {
      at += updatedAt.length;
      const time = Date.parse(body.toString("latin1", at, body.indexOf(0x22, at)));
      if (time > version) version = time;
    }
    const told = { type, flags, version };
    if (this.#last.size >= keptSizes) this.#last.clear();
    this.#last.set(body.length, { body: Buffer.from(body), told });
    return told;
  }
}

const keptSizes = 32;

/** A client SDK's message is its user's own. */
export function readClient(body: Buffer): Told {
  const type = typeOf(body);
  let flags = 0;
  let version = 0;
  if (type === "pong" || type === "other") return { type, flags, version };
  for (let at = body.indexOf(timestamp); at >= 0; at = body.indexOf(timestamp, at)) {
    at += timestamp.length;
    let time = 0;
    for (let digit = (body[at] ?? 0) - 48; digit >= 0 && digit <= 9; digit = (body[++at] ?? 0) - 48) {
      time = time * 10 + digit;
    }
    if (time > version) version = time;
    flags++;
  }
  return { type, flags, version };
}

/** Whether a client's message is for this user. */
export function isFor(body: Buffer, userKey: Buffer): boolean {
  return body.subarray(0, headBytes + userKey.length).includes(userKey);
}

function typeOf(body: Buffer): Told["type"] {
  const head = body.subarray(0, headBytes);
  if (head.includes(pong)) return "pong";
  if (!head.includes(sync)) return "other";
  return head.includes(full) ? "full" : head.includes(patch) ? "patch" : "other";
}

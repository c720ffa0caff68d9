/** Raw frames of HTTP/2, for what a well-behaved client cannot be made to send. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const preface: Buffer = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(4, 0, 0),
]);

/** Headers as literals that are not indexed, names and values in turn, shorter than 127 bytes each. */
export function headerBlock(...flat: string[]): Buffer {
  const literals = flat.map((text) =>
    Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")]),
  );
  return Buffer.concat(
    literals.flatMap((literal, index) => (index % 2 === 0 ? [Buffer.from([0]), literal] : [literal])),
  );
}

export const endStream = 1;
export const endHeaders = 4;
export const headers = (stream: number, flags: number, ...flat: string[]): Buffer =>
  frame(1, flags | endHeaders, stream, headerBlock(...flat));
export const data = (stream: number, flags: number, text: string): Buffer =>
  frame(0, flags, stream, Buffer.from(text));
export const reset = (stream: number, code: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(3, 0, stream, payload);
};

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The whole frames at the start of `bytes`. */
export function parseFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    if (at + 9 + length > bytes.length) break;
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return frames;
}

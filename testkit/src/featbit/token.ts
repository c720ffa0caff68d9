/** The token with which an SDK opens its socket: its secret with the time inside. */

const letters = "QBWSPHDXZU";

const encodeNumber = (number: number, digits: number): string =>
  String(number)
    .padStart(digits, "0")
    .replace(/\d/g, (digit) => letters[Number(digit)] ?? "");

/** `splitAt` is where the time goes into the secret; SDKs choose it at random. */
export function encodeToken(
  secret: string,
  nowMs: number = Date.now(),
  splitAt: number = Math.max(2, Math.floor(Math.random() * secret.length)),
): string {
  const text = secret.replace(/=+$/, "");
  const time = encodeNumber(Math.floor(nowMs), 0);
  return (
    encodeNumber(splitAt, 3) +
    encodeNumber(time.length, 2) +
    text.slice(0, splitAt) +
    time +
    text.slice(splitAt)
  );
}

function decodeNumber(text: string): number | undefined {
  const digits = [...text].map((letter) => letters.indexOf(letter));
  return digits.includes(-1) ? undefined : Number(digits.join("") || "0");
}

export interface Token {
  readonly secret: string;
  readonly timeMs: number;
}

/** Undefined when the token is malformed. */
export function decodeToken(token: string): Token | undefined {
  if (token.length < 5) return undefined;
  const position = decodeNumber(token.slice(0, 3));
  const length = decodeNumber(token.slice(3, 5));
  if (position === undefined || length === undefined || position > 255) return undefined;
  const payload = token.slice(5);
  if (payload.length < position + length) return undefined;
  const timeMs = decodeNumber(payload.slice(position, position + length));
  const bare = payload.slice(0, position) + payload.slice(position + length);
  const secret = bare.padEnd(Math.ceil(bare.length / 4) * 4, "=");
  return timeMs === undefined || secret.length !== 44 ? undefined : { secret, timeMs };
}

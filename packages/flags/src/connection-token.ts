import { flagsErrors } from "./errors.ts";
import { secretLength } from "./secret.ts";

/** What an SDK's connection token holds (3.6). */
export interface ConnectionToken {
  /** Where in the secret the time was put. */
  readonly position: number;
  /** How many characters the time has. */
  readonly contentLength: number;
  /** The SDK's clock, ms since 1970. */
  readonly timestamp: number;
  readonly secret: string;
}

const digits = "QBWSPHDXZU";
const largestPosition = 255;

/** Takes a connection token apart. Throws FLAG_TOKEN_INVALID; its age and its secret are the caller's to check. */
export function parseConnectionToken(token: string): ConnectionToken {
  if (token.length < 5) throw invalid("it is shorter than 5 characters");
  const position = decode(token.slice(0, 3));
  const contentLength = decode(token.slice(3, 5));
  if (position === undefined || position > largestPosition)
    throw invalid("its position is no number up to 255");
  if (contentLength === undefined) throw invalid("its length is no number");
  const payload = token.slice(5);
  if (payload.length < position + contentLength) throw invalid("it is too short");
  const timestamp = decode(payload.slice(position, position + contentLength));
  if (timestamp === undefined) throw invalid("its time is no number");
  const rest = payload.slice(0, position) + payload.slice(position + contentLength);
  const secret = rest.padEnd(Math.ceil(rest.length / 4) * 4, "=");
  if (secret.length !== secretLength) throw invalid(`its secret has not ${secretLength} characters`);
  return { position, contentLength, timestamp, secret };
}

/** Blank is 0. Undefined for other characters, and for numbers that a date cannot hold. */
function decode(text: string): number | undefined {
  if (text.trim() === "") return 0;
  let number = 0;
  for (const character of text) {
    const digit = digits.indexOf(character);
    if (digit < 0) return undefined;
    number = number * 10 + digit;
  }
  return Number.isSafeInteger(number) ? number : undefined;
}

function invalid(reason: string): Error {
  return flagsErrors.create("FLAG_TOKEN_INVALID", { reason });
}

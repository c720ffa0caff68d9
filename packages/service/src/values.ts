import * as z from "zod";
import { isShown, Secret, shownMessage } from "./secret.ts";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const durationPattern = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;
const durationMessage = ({ input }: { readonly input?: unknown }): string =>
  `expected a duration such as "5m" or "1m30s"${meant(durationMeant(input))}`;

/** Milliseconds from a duration as Go writes it: `500ms`, `5m`, `1m30s`, `1.5h`. */
export const durationSchema: z.ZodType<number, string> = z
  .string({ error: durationMessage })
  .regex(durationPattern, { error: durationMessage })
  .transform(parseDuration)
  .refine((ms) => ms <= 0x7fff_ffff, "longer than 596h, which no timer can wait");

const meant = (text: string | undefined): string => (text === undefined ? "" : `; did you mean "${text}"?`);

/** A bare number is of seconds in most servers, and some have days. */
function durationMeant(input: unknown): string | undefined {
  if (typeof input === "number" || /^\d+$/.test(String(input))) return `${input}s`;
  const [, days] = /^(\d+)d$/.exec(String(input)) ?? [];
  return days && `${Number(days) * 24}h`;
}

/** A bare number is of bytes in most servers, and some write 16k. */
function sizeMeant(input: unknown): string | undefined {
  if (typeof input === "number" || /^\d+$/.test(String(input))) return `${input}B`;
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?) ?([kmg])(?:i?b)?$/i.exec(String(input)) ?? [];
  return amount && `${amount}${unit.toUpperCase()}iB`;
}

function parseDuration(text: string): number {
  let ms = 0;
  for (const [, amount, unit = ""] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) {
    ms += Number(amount) * (unitMs[unit] ?? 0);
  }
  return Math.round(ms);
}

const unitBytes: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};
const sizePattern = /^(\d+(?:\.\d+)?)(B|[KMG]i?B)$/;
const sizeMessage = ({ input }: { readonly input?: unknown }): string =>
  `expected a size such as "64KiB" or "1MiB"${meant(sizeMeant(input))}`;

/** Bytes from a size: `512B`, `64KiB`, `1MiB`, `2GB`. */
export const sizeSchema: z.ZodType<number, string> = z
  .string({ error: sizeMessage })
  .regex(sizePattern, { error: sizeMessage })
  .transform((text) => {
    const [, amount, unit = ""] = sizePattern.exec(text) ?? [];
    return Math.round(Number(amount) * (unitBytes[unit] ?? 0));
  });

/** A `Secret` from a text that is not empty. */
export const secretSchema: z.ZodType<Secret, string> = z
  .string("expected a text; put quotes around digits")
  .min(1, "is empty")
  .refine((text) => !isShown(text), shownMessage)
  .transform((text) => new Secret(text));

/** Where a server listens. An empty host is every address of the machine; port 0 is any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** A unix socket instead; then the host is empty and the port 0. */
  readonly path?: string;
}

const listenPattern = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]*)):(\d{1,5})$/;
const listenMessage = 'expected an address such as "127.0.0.1:8000", "[::1]:8000" or ":8000"';

/** A listen address from `127.0.0.1:8000`, `[::1]:80`, `:8000`. */
export const listenSchema: z.ZodType<ListenAddress, string> = z
  .string(listenMessage)
  .regex(listenPattern, listenMessage)
  .transform((text) => {
    const [, v6, host = "", port] = listenPattern.exec(text) ?? [];
    return { host: v6 ?? host, port: Number(port) };
  })
  .refine(({ port }) => port <= 65_535, "port is above 65535");

const unixMessage = 'expected a path from the root, such as "unix:/run/posthouse.sock", of 107 bytes at most';

/** As `listenSchema`, and `unix:/PATH`. */
export const listenOrPathSchema: z.ZodType<ListenAddress, string> = z.string(listenMessage).pipe(
  z
    .string()
    .startsWith("unix:")
    .refine((text) => text[5] === "/" && Buffer.byteLength(text) <= 112 && !text.includes("\0"), unixMessage)
    .transform((text) => ({ host: "", port: 0, path: text.slice(5) }))
    .or(listenSchema),
);

/** `127.0.0.1:8000`, `[::1]:80`, `:8000`, `unix:/run/x.sock`: the text that the schemas above read. */
export function formatListen({ host, port, path }: ListenAddress): string {
  if (path !== undefined) return `unix:${path}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

import { durationSchema, sizeSchema, suggestionText } from "@posthouse/service";
import * as z from "zod";
import { inputJsonSchema } from "./input-json-schema.ts";

/** Where a host's requests go when no rule answers them. Times in milliseconds, sizes in bytes. */
export interface ForwardConfig {
  readonly upstreams: readonly string[];
  readonly balance: "round_robin" | "least_connections" | "hash";
  readonly connections: {
    readonly max: number;
    readonly waiting: number;
    readonly idle: number;
    readonly idle_for: number;
  };
  readonly failures: { readonly after: number; readonly leave_for: number; readonly retries: number };
  readonly timeouts: {
    readonly connect: number;
    readonly first_byte: number;
    readonly idle: number;
    readonly client: number;
    readonly tunnel: number;
    readonly total: number;
  };
  readonly max_body: number;
  readonly min_body_rate: number;
  readonly tls: {
    readonly ca?: string | undefined;
    readonly server_name?: string | undefined;
    readonly allow_invalid_certificates: boolean;
  };
  readonly health?: { readonly path: string; readonly every: number; readonly timeout: number } | undefined;
}

const balances = ["round_robin", "least_connections", "hash"] as const;
/** What other servers call them. */
const balancesElsewhere: Readonly<Record<string, (typeof balances)[number]>> = {
  ip_hash: "hash",
  source: "hash",
  client_ip_hash: "hash",
  least_conn: "least_connections",
  leastconn: "least_connections",
  roundrobin: "round_robin",
};

function balanceMessage(given: string): string {
  const ours = balancesElsewhere[given.toLowerCase()];
  const hint = ours === undefined ? suggestionText(given, balances) : `; did you mean "${ours}"?`;
  return `expected ${balances.slice(0, -1).join(", ")} or ${balances.at(-1)}${hint}`;
}

const upstreamMessage = "expected http://HOST:PORT, https://HOST:PORT or unix:/PATH, without path and query";

const upstream = z.string(upstreamMessage).refine(isUpstream, upstreamMessage);
const count = z.int().min(1).max(100_000);

const full = z.strictObject({
  upstreams: z.array(upstream).min(1).describe("backends: http://HOST:PORT, https://HOST:PORT, unix:/PATH"),
  balance: z
    .enum(balances, { error: ({ input }) => balanceMessage(String(input)) })
    .default("round_robin")
    .describe("how one is chosen; hash goes by the client's address"),
  connections: z
    .strictObject({
      max: count.default(256).describe("connections to one backend"),
      waiting: z.int().min(0).max(1_000_000).default(1024).describe("requests that may wait for one"),
      idle: z.int().min(0).max(100_000).default(64).describe("idle connections kept"),
      idle_for: durationSchema.prefault("30s").describe("for how long"),
    })
    .prefault({}),
  failures: z
    .strictObject({
      after: count.default(3).describe("failures in a row after which a backend is left alone"),
      leave_for: durationSchema.prefault("10s").describe("for how long"),
      retries: z
        .int()
        .min(0)
        .max(10)
        .default(1)
        .describe("other backends tried when one does not answer what may be sent again"),
    })
    .prefault({}),
  timeouts: z
    .strictObject({
      connect: durationSchema.prefault("5s").describe("until a connection stands"),
      first_byte: durationSchema.prefault("60s").describe("from the request's end to the answer's head"),
      idle: durationSchema.prefault("60s").describe("silence of the backend within an answer"),
      client: durationSchema.prefault("60s").describe("silence of the client within a body, either way"),
      tunnel: durationSchema.prefault("1h").describe("silence of an upgraded connection"),
      total: durationSchema.prefault("0s").describe("whole request; 0s is without limit"),
    })
    .prefault({}),
  max_body: sizeSchema.prefault("100MiB").describe("largest request body; above it 413"),
  min_body_rate: sizeSchema
    .prefault("500B")
    .describe(
      "bytes a second that a request body must average, timeouts.client aside; then 408; 0B is without limit",
    ),
  tls: z
    .strictObject({
      ca: z.string().optional().describe("file of certificates to trust instead of the system's"),
      server_name: z.string().optional().describe("name for SNI and for checking the certificate"),
      allow_invalid_certificates: z.boolean().default(false).describe("do not check certificates"),
    })
    .prefault({}),
  health: z
    .strictObject({
      path: z.string().startsWith("/").describe("asked with GET; healthy is 200 to 399"),
      every: durationSchema.prefault("10s").describe("time between checks"),
      timeout: durationSchema.prefault("5s").describe("longest wait for the answer"),
    })
    .optional(),
});

/** A backend, or several with everything that can be set. */
export const forwardSchema: z.ZodType<ForwardConfig> = z
  .union([upstream.transform((url) => ({ upstreams: [url] })), z.looseObject({})])
  .pipe(full)
  .meta({ anyOf: [{ type: "string" }, inputJsonSchema(full)] }) as unknown as z.ZodType<ForwardConfig>;

function isUpstream(text: string): boolean {
  if (/^unix:\/./.test(text)) return true;
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { username, password, pathname, search, hash } = new URL(text);
  return pathname === "/" && `${username}${password}${search}${hash}` === "";
}

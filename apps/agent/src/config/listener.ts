import { durationSchema, type ListenAddress, listenOrPathSchema } from "@posthouse/service";
import * as z from "zod";
import { isNetwork } from "../http/ip-networks.ts";

/** How connections arrive at a site. */
export interface ListenerConfig {
  readonly listen: ListenAddress;
  readonly tls?: TlsConfig | undefined;
  readonly proxy_protocol?: { readonly from: readonly string[] } | undefined;
}

export interface TlsConfig {
  /** The first is for clients that name no host, or an unknown one. */
  readonly certificates: readonly CertificateConfig[];
  readonly client_certificates?: { readonly ca: string; readonly required: boolean } | undefined;
  readonly min_version: "TLSv1.2" | "TLSv1.3";
  readonly ciphers?: string | undefined;
  readonly http2: boolean;
  /** In ms. */
  readonly handshake_time: number;
}

export interface CertificateConfig {
  readonly cert: string;
  readonly key: string;
}

const file = z.string().min(1, "is empty");

const tlsSchema = z.strictObject({
  certificates: z
    .array(
      z.strictObject({
        cert: file.describe("file of the certificate and its issuers, PEM"),
        key: file.describe("file of its private key, PEM"),
      }),
    )
    .min(1)
    .describe("chosen by the names they hold; the first is for all other names"),
  client_certificates: z
    .strictObject({
      ca: file.describe("file of the authorities whose certificates are accepted"),
      required: z.boolean().default(true).describe("false: a client may come without one"),
    })
    .optional()
    .describe("ask clients for a certificate"),
  min_version: z.enum(["TLSv1.2", "TLSv1.3"]).default("TLSv1.2").describe("the oldest version spoken"),
  ciphers: z
    .string()
    .min(1, "is empty")
    .optional()
    .describe("OpenSSL's names, separated by colons; by default those with forward secrecy and AEAD"),
  http2: z.boolean().default(true).describe("offer HTTP/2"),
  handshake_time: durationSchema
    .prefault("10s")
    .refine((ms) => ms >= 1, "shorter than 1ms")
    .describe("for the TLS handshake; then the connection is closed"),
});

/** The keys of a site that say how connections arrive. */
export const listenerShape: {
  readonly listen: z.ZodType<ListenAddress, string>;
  readonly tls: z.ZodType<TlsConfig | undefined>;
  readonly proxy_protocol: z.ZodType<ListenerConfig["proxy_protocol"]>;
} = {
  listen: listenOrPathSchema.describe("address for requests: HOST:PORT, [IPV6]:PORT or unix:/PATH"),
  tls: tlsSchema.optional(),
  proxy_protocol: z
    .strictObject({
      from: z
        .array(z.string().refine(isNetwork, 'expected an address or a network such as "10.0.0.0/8"'))
        .min(1)
        .describe("load balancers that begin each connection with a PROXY header, version 1 or 2"),
    })
    .optional(),
};

/** With absolute paths, made by `from`. */
export function resolveListener<T extends ListenerConfig>(site: T, from: (relative: string) => string): T {
  if (site.tls === undefined) return site;
  const { certificates, client_certificates: clients } = site.tls;
  const tls: TlsConfig = {
    ...site.tls,
    certificates: certificates.map(({ cert, key }) => ({ cert: from(cert), key: from(key) })),
    client_certificates: clients && { ...clients, ca: from(clients.ca) },
  };
  return { ...site, tls };
}

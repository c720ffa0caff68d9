import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { BackendAddress } from "./backend/connection.ts";

export interface BackendTlsOptions {
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string | undefined;
  readonly serverName?: string | undefined;
  readonly allowInvalidCertificates: boolean;
}

/** Reads `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`, as the configuration has checked it. */
export function backendAddress(url: string, tls: BackendTlsOptions): BackendAddress {
  if (url.startsWith("unix:")) return { text: url, host: "localhost", port: 0, path: url.slice(5) };
  const { protocol, hostname, port, host } = new URL(url);
  const name = hostname.replace(/^\[|\]$/g, "");
  const secure = protocol === "https:";
  return {
    text: `${protocol}//${host}`,
    host: name,
    port: port === "" ? (secure ? 443 : 80) : Number(port),
    tls: secure ? connectionOptions(name, tls) : undefined,
  };
}

/** What `Host` says to a backend when the client's is not kept. */
export function backendHost(url: string): string {
  return url.startsWith("unix:") ? "localhost" : new URL(url).host;
}

function connectionOptions(
  host: string,
  { ca, serverName, allowInvalidCertificates }: BackendTlsOptions,
): ConnectionOptions {
  const servername = serverName ?? (isIP(host) === 0 ? host : "");
  return {
    servername,
    rejectUnauthorized: !allowInvalidCertificates,
    ALPNProtocols: ["http/1.1"],
    ...(ca === undefined ? {} : { ca }),
  };
}

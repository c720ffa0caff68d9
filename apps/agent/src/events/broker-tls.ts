import { readFile } from "node:fs/promises";
import type { PeerCertificate } from "node:tls";
import { agentErrors } from "../core/errors.ts";
import type { BrokerTls } from "./broker-address.ts";

export interface TlsSettings {
  readonly rejectUnauthorized: boolean;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly checkServerIdentity?: (host: string, certificate: PeerCertificate) => undefined;
}

/** What Node's TLS is told; the files are read each time. @throws TLS_FILE_UNREADABLE */
export async function readBrokerTls(tls: BrokerTls): Promise<TlsSettings> {
  const read = async (key: string, file: string | undefined): Promise<Buffer | undefined> => {
    if (file === undefined) return undefined;
    return await readFile(file).catch((error: NodeJS.ErrnoException) => {
      throw agentErrors.create("TLS_FILE_UNREADABLE", { key, file, reason: error.code ?? error.message });
    });
  };
  const ca = await read("ssl_ca_certs", tls.caFile);
  const cert = await read("ssl_certfile", tls.certFile);
  const key = await read("ssl_keyfile", tls.keyFile);
  return {
    rejectUnauthorized: tls.verifies,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(tls.checksHost ? {} : { checkServerIdentity: () => undefined }),
  };
}

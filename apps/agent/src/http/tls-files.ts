import { constants, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { ConfigLocator } from "@posthouse/service";
import type { CertificateConfig, TlsConfig } from "../config/listener.ts";
import { agentErrors } from "../core/errors.ts";

/** A certificate that can be served. */
export interface ServedCertificate {
  /** Names from its subject alternative names, lower case, with or without `*.`. */
  readonly names: readonly string[];
  readonly file: string;
  readonly expires: Date;
  readonly context: SecureContext;
  /** What `context` was made of. */
  readonly options: SecureContextOptions;
}

/** Those with forward secrecy and authenticated encryption: all of TLS 1.3, and of TLS 1.2 what Mozilla calls intermediate. */
const ciphers = [
  ...["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
  ...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ...["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
  ...["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
].join(":");

/**
 * Reads and checks all that a listener needs. `at` tells where the configuration names a value of `config`, such as
 * `sites[0].tls.certificates[1].key`. Throws TLS_… errors with the place and the file.
 */
export async function loadCertificates(config: TlsConfig, at: ConfigLocator): Promise<ServedCertificate[]> {
  const ca = await loadClientAuthorities(config, at);
  return Promise.all(config.certificates.map((_, index) => loadCertificate(config, index, at, ca)));
}

/** Reads and checks the authorities of client certificates, where there are any. Throws TLS_… errors. */
export async function loadClientAuthorities(
  { client_certificates: clients }: TlsConfig,
  at: ConfigLocator,
): Promise<Buffer | undefined> {
  return clients && (await readAuthorities(clients.ca, at(["client_certificates", "ca"])));
}

/** As `loadCertificates`, for one of them, with these authorities of client certificates. */
export async function loadCertificate(
  config: TlsConfig,
  index: number,
  at: ConfigLocator,
  ca?: Buffer,
): Promise<ServedCertificate> {
  const shared: SecureContextOptions = {
    minVersion: config.min_version,
    maxVersion: "TLSv1.3",
    ciphers: config.ciphers ?? ciphers,
    honorCipherOrder: false,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    ca,
  };
  const files = config.certificates[index] as CertificateConfig;
  const certPlace = at(["certificates", index, "cert"]);
  const keyPlace = at(["certificates", index, "key"]);
  const [cert, key] = await Promise.all([read(files.cert, certPlace), read(files.key, keyPlace)]);
  const leaf = parse(files.cert, certPlace, "certificate", () => new X509Certificate(cert));
  const privateKey = parse(files.key, keyPlace, "private key", () => createPrivateKey(key));
  if (!fits(leaf, privateKey)) {
    const about = { key: keyPlace, file: files.key, certificate: files.cert };
    throw agentErrors.create("TLS_KEY_MISMATCH", about);
  }
  const options = { ...shared, cert, key };
  return {
    names: namesOf(leaf),
    file: files.cert,
    expires: new Date(leaf.validTo),
    context: makeContext(options, at(config.ciphers === undefined ? [] : ["ciphers"])),
    options,
  };
}

function fits(leaf: X509Certificate, key: KeyObject): boolean {
  try {
    return leaf.checkPrivateKey(key);
  } catch {
    return false;
  }
}

function makeContext(options: SecureContextOptions, key: string): SecureContext {
  try {
    return createSecureContext(options);
  } catch (cause) {
    throw agentErrors.create("TLS_SETTINGS_UNUSABLE", { key, reason: reasonOf(cause) }, { cause });
  }
}

/** The certificates of a file of authorities. Throws TLS_FILE_UNREADABLE, TLS_FILE_UNUSABLE. */
export async function readAuthorities(file: string, key: string): Promise<Buffer> {
  const bytes = await read(file, key);
  parse(file, key, "certificate", () => new X509Certificate(bytes));
  return bytes;
}

async function read(file: string, key: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw agentErrors.create("TLS_FILE_UNREADABLE", { key, file, reason: reasonOf(cause) }, { cause });
  }
}

function parse<T>(file: string, key: string, what: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw agentErrors.create("TLS_FILE_UNUSABLE", { key, file, what, reason: reasonOf(cause) }, { cause });
  }
}

function namesOf({ subjectAltName = "" }: X509Certificate): string[] {
  return [...subjectAltName.matchAll(/(?:^|, )DNS:([^,"]+)/g)].map(([, name = ""]) => name.toLowerCase());
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/**
 * TLS of one listener: its certificates, chosen by the name that the client asks for, read again when their files change.
 * Connections that stand keep what they began with. Files that cannot be used change nothing: the old ones are served on.
 */
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { ConfigLocator, Log, Part } from "@posthouse/service";
import type { TlsConfig } from "../config/listener.ts";
import { describeFailure, type Failure } from "../core/failure.ts";
import { createFileWatch, type FileWatch } from "../core/file-watch.ts";
import { loadCertificates, type ServedCertificate } from "./tls-files.ts";
import type { TlsMetrics } from "./tls-metrics.ts";

export interface Tls extends Part {
  /** What it was made of: the same when nothing changed. */
  readonly key: string;
  /** Why the files as they are now are not served; undefined while they are. */
  readonly failure: Failure | undefined;
  /** Shakes hands; then calls one of the two. A connection that is refused is closed. */
  accept(socket: Socket, secured: (socket: TLSSocket) => void, refused: (reason: string) => void): void;
}

export interface TlsOptions {
  readonly config: TlsConfig;
  /** Name of the listener in log and metrics. */
  readonly listener: string;
  /** Tells where a value of `config` stands. */
  readonly at: ConfigLocator;
  readonly log: Log;
  readonly metrics: TlsMetrics;
  /** How often files are looked at where the system tells nothing. Default 2000. */
  readonly pollMs?: number;
}

interface Waiting {
  readonly secured: (socket: TLSSocket) => void;
  readonly refused: (reason: string) => void;
}

export function tlsKey({ listener, config }: Pick<TlsOptions, "listener" | "config">): string {
  return `tls ${listener} ${JSON.stringify(config)}`;
}

/** Makes the TLS side of a listener. `start` reads the files and throws TLS_… errors. */
export function createTls(options: TlsOptions): Tls {
  const { config, listener, at, log, metrics } = options;
  const clients = config.client_certificates;
  let certificates: readonly ServedCertificate[] = [];
  let server: Server | undefined;
  let watches: FileWatch[] = [];
  let loading: Promise<void> = Promise.resolve();
  let failure: Failure | undefined;
  const waiting = new WeakMap<Socket, Waiting>();

  function use(loaded: readonly ServedCertificate[]): void {
    certificates = loaded;
    metrics.loaded(listener, loaded);
    for (const { expires, file } of loaded)
      if (expires.getTime() < Date.now()) log.warn({ listener, file, expires }, "a certificate has expired");
  }

  /** Without the name that tells the files apart, a client gets the first. */
  function choose(name: string): ServedCertificate | undefined {
    return findCertificate(certificates, name) ?? certificates[0];
  }

  async function reload(): Promise<void> {
    try {
      use(await loadCertificates(config, at));
      server?.setSecureContext(certificates[0]?.options ?? {});
      failure = undefined;
      metrics.reloaded(listener, true);
      log.info({ listener }, "certificates read again");
    } catch (error) {
      failure = describeFailure(error, failure);
      metrics.reloaded(listener, false);
      log.error({ error, listener }, "the changed certificates cannot be used; the old ones are served on");
    }
  }

  function make(): Server {
    const made = createServer({
      ...certificates[0]?.options,
      handshakeTimeout: config.handshake_time,
      ALPNProtocols: config.http2 ? ["h2", "http/1.1"] : ["http/1.1"],
      requestCert: clients !== undefined,
      rejectUnauthorized: clients?.required === true,
      SNICallback: (name, done) => done(null, choose(name)?.context),
    });
    made.on("secureConnection", (socket) => {
      const { secured, refused } = takeWaiting(socket) ?? {};
      // Not required is not unchecked: who shows a certificate must show a good one.
      if (clients !== undefined && !socket.authorized && socket.getPeerX509Certificate() !== undefined) {
        socket.destroy();
        refused?.("the client's certificate is not accepted");
      } else if (secured === undefined) socket.destroy();
      else secured(socket);
    });
    made.on("tlsClientError", (error, socket) => {
      takeWaiting(socket)?.refused(error.message);
      socket.destroy();
    });
    return made;
  }

  function takeWaiting(socket: TLSSocket): Waiting | undefined {
    const raw = rawSocket(socket);
    const found = waiting.get(raw);
    waiting.delete(raw);
    return found;
  }

  return {
    name: `tls ${listener}`,
    key: tlsKey(options),
    get failure() {
      return failure;
    },
    async start() {
      use(await loadCertificates(config, at));
      server = make();
      const files = new Set(config.certificates.flatMap(({ cert, key }) => [cert, key]));
      if (clients !== undefined) files.add(clients.ca);
      const onChange = (): void => {
        loading = loading.then(reload);
      };
      const { pollMs } = options;
      watches = [...files].map((file) => createFileWatch(file, { log, onChange, pollMs }));
      await Promise.all(watches.map((watch) => watch.start()));
    },
    async stop() {
      for (const watch of watches) watch.stop();
      watches = [];
      await loading;
      metrics.forget(listener, certificates);
    },
    accept(socket, secured, refused) {
      waiting.set(socket, { secured, refused });
      // Who ends its side before the handshake is done is gone.
      socket.allowHalfOpen = false;
      if (server === undefined) socket.destroy();
      else server.emit("connection", socket);
    },
  };
}

/** The one with this name; else the one with a `*.` for its first label. */
export function findCertificate<T extends Pick<ServedCertificate, "names">>(
  certificates: readonly T[],
  name: string,
): T | undefined {
  const exact = name.toLowerCase().replace(/\.$/, "");
  const dot = exact.indexOf(".");
  const wildcard = dot === -1 ? undefined : `*${exact.slice(dot)}`;
  return (
    certificates.find(({ names }) => names.includes(exact)) ??
    certificates.find(({ names }) => wildcard !== undefined && names.includes(wildcard))
  );
}

/** The connection below: Node keeps it and tells nobody. */
function rawSocket(socket: TLSSocket): Socket {
  return (socket as TLSSocket & { _parent?: Socket })._parent ?? socket;
}

import type { Metrics } from "../core/metrics.ts";
import type { ServedCertificate } from "./tls-files.ts";

export interface TlsMetrics {
  loaded(listener: string, certificates: readonly ServedCertificate[]): void;
  reloaded(listener: string, isUsable: boolean): void;
  forget(listener: string, certificates: readonly ServedCertificate[]): void;
}

/** Registers what is told of certificates. */
export function createTlsMetrics(metrics: Metrics): TlsMetrics {
  const served = new Map<string, readonly ServedCertificate[]>();
  const reloads = metrics.counter(
    "posthouse_http_certificate_reloads_total",
    "Changes of certificate files, by whether they could be used.",
    ["listener", "result"],
  );
  metrics.gauge(
    "posthouse_http_certificate_expiry_timestamp_seconds",
    "When the certificates that are served end.",
    ["listener", "file"],
    (report) => {
      for (const [listener, certificates] of served)
        for (const { file, expires } of certificates) report({ listener, file }, expires.getTime() / 1000);
    },
  );
  return {
    loaded: (listener, certificates) => void served.set(listener, certificates),
    reloaded: (listener, isUsable) =>
      void reloads.with({ listener, result: isUsable ? "used" : "refused" }).value++,
    forget(listener, certificates) {
      if (served.get(listener) === certificates) served.delete(listener);
    },
  };
}

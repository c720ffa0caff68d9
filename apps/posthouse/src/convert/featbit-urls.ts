import type { FeatbitSettings } from "./featbit-settings.ts";

export interface FeatbitUrls {
  /** As `flags.listen` has it. */
  readonly listen: string;
  readonly findings: readonly {
    readonly name: string;
    readonly isError: boolean;
    readonly message: string;
  }[];
}

/** FeatBit Agent's documented port, which its image sets. */
const byDefault = ":6100";

/**
 * Where ASP.NET would listen: `ASPNETCORE_URLS` (`http://+:6100`), or `ASPNETCORE_HTTP_PORTS`. There is one address here:
 * the first that is not https, which needs a certificate.
 */
export function readUrls(settings: FeatbitSettings): FeatbitUrls {
  const findings: { name: string; isError: boolean; message: string }[] = [];
  const listOf = (name: string): string[] =>
    (settings.get(name)?.value ?? "")
      .split(";")
      .map((one) => one.trim())
      .filter((one) => one !== "");
  const urls = listOf("urls");
  const name = urls.length > 0 ? "urls" : "http_ports";
  const all = urls.length > 0 ? urls : listOf("http_ports").map((port) => `http://+:${port}`);
  const plain = all.filter((url) => !/^https:/i.test(url));
  const [first = `http://+${byDefault}`, ...more] = plain;
  if (plain.length < all.length)
    findings.push({
      name,
      isError: plain.length === 0,
      message: "https is not taken over: name the certificate under flags.tls of a configuration file",
    });
  if (more.length > 0)
    findings.push({
      name,
      isError: false,
      message: `one address is enough here: ${first}; not ${more.join(", ")}`,
    });
  if (settings.has("https_ports"))
    findings.push({ name: "https_ports", isError: false, message: "https is not taken over" });
  const listen = parseUrl(first);
  if (listen === undefined)
    findings.push({ name, isError: true, message: `"${first}" is no address such as http://+:6100` });
  return { listen: listen ?? byDefault, findings };
}

function parseUrl(url: string): string | undefined {
  const [, unix] = /^http:\/\/unix:(\/[^:]+)$/i.exec(url) ?? [];
  if (unix !== undefined) return `unix:${unix}`;
  const [, v6, host = "", port = "80"] =
    /^http:\/\/(?:\[([^\]]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\/?$/i.exec(url) ?? [];
  if (v6 !== undefined) return v6 === "::" ? `:${port}` : `[${v6}]:${port}`;
  if (host === "") return undefined;
  if (host === "+" || host === "*") return `:${port}`;
  return `${host.toLowerCase() === "localhost" ? "127.0.0.1" : host}:${port}`;
}

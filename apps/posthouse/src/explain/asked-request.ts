import { requestUri } from "@posthouse/rules";
import { commandErrors } from "../errors.ts";

/** A request as a browser would send it for a URL that a person typed. */
export interface AskedRequest {
  readonly method: string;
  /** Empty when the URL was a path and no host was given. */
  readonly host: string;
  readonly uri: string;
}

/** Reads `https://host/path?query` or `/path?query`. `host` replaces the URL's. Throws URL_UNUSABLE. */
export function readAskedRequest(
  url: string,
  { method, host }: { readonly method: string; readonly host: string | undefined },
): AskedRequest {
  const [withoutFragment = ""] = url.split("#", 1);
  const isUrl = /^(https?:\/\/[^/?]|\/)/i.test(withoutFragment);
  const target = isUrl ? requestUri(withoutFragment, { text: true }) : undefined;
  if (target === undefined) {
    const meant = /^[\w.-]+\.[a-z]{2,}(:\d+)?(\/|$)/i.test(url) ? `Did you mean https://${url} ?` : undefined;
    throw commandErrors.create("URL_UNUSABLE", { url }, meant === undefined ? {} : { hint: meant });
  }
  return { method, host: host ?? withoutDefaultPort(url, target.host ?? ""), uri: target.uri };
}

/** A browser leaves out the port that its scheme implies. */
function withoutDefaultPort(url: string, host: string): string {
  return host.replace(/^https:/i.test(url) ? /:443$/ : /:80$/, "");
}

import type { Match } from "@posthouse/rules";
import type { Exchange } from "../http/exchange.ts";

/** The headers that Flecto's middleware adds to every answer with its option `debug`. */
export function addFlectoDebug(exchange: Exchange, version: number, host: string, uri: string): void {
  exchange.addHeader("X-Middleware-Flecto-Version", String(version));
  exchange.addHeader("X-Middleware-Flecto-Url", headerBytes(host + uri));
}

/** The header with a redirect's rule, as Go prints it. */
export function addFlectoRedirect(exchange: Exchange, { item }: Match): void {
  if (item.kind !== "redirect") return;
  const rule = `&{${item.type} ${item.source} ${item.target} ${item.status}}`;
  exchange.addHeader("X-Middleware-Flecto-Redirect", headerBytes(rule));
}

/** UTF-8 as the bytes that a header takes; what could end the header becomes a space. */
function headerBytes(text: string): string {
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  return bytes.replace(/[^\x20-\x7e\x80-\xff]/g, " ").trim();
}

import { readFileSync } from "node:fs";
import type { Exchange } from "../http/exchange.ts";

/** The page and what it loads; read once, when the first is asked for. */
const files: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "": { file: "index.html", type: "text/html; charset=utf-8" },
  "page.js": { file: "page.js", type: "text/javascript; charset=utf-8" },
  "page.css": { file: "page.css", type: "text/css; charset=utf-8" },
};
const texts = new Map<string, string>();

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Whether there is a file of the page at this path below `/events/`. */
export function isPage(path: string): boolean {
  return Object.hasOwn(files, path);
}

export function answerPage(exchange: Exchange, path: string): void {
  const { file, type } = files[path] ?? { file: "index.html", type: "text/html" };
  const text = texts.get(file) ?? readFileSync(new URL(`./page/${file}`, import.meta.url), "utf8");
  texts.set(file, text);
  const headers = [
    ...["Content-Type", type, "Cache-Control", "no-cache", "Content-Security-Policy", policy],
    ...["X-Content-Type-Options", "nosniff", "Referrer-Policy", "no-referrer"],
    ...["Cross-Origin-Opener-Policy", "same-origin", "Cross-Origin-Resource-Policy", "same-origin"],
  ];
  exchange.answer(200, headers, text);
}

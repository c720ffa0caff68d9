import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { agentErrors } from "../core/errors.ts";
import type { Exchange } from "../http/exchange.ts";

/** Answers in place of a backend, for one host. */
export interface ErrorAnswers {
  /** Answers unless the client is gone; returns the status shown, 0 when there was nobody to see it. */
  answer(exchange: Exchange, status: number): number;
}

export interface ErrorPage {
  readonly contentType: string;
  readonly body: string;
}

export interface ErrorAnswersOptions {
  readonly pages: ReadonlyMap<number, ErrorPage>;
  /** `redirectionio`: 503 wherever a backend failed. */
  readonly compat?: string | undefined;
}

const texts: Readonly<Record<number, string>> = {
  404: "not found",
  408: "the request took too long to arrive",
  413: "the body is too large",
  502: "the backend gave no usable answer",
  503: "too many requests wait for the backend",
  504: "the backend took too long",
  508: "the request goes in circles",
};

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".htm": "text/html; charset=utf-8",
  ".json": "application/json",
};
const plain = "text/plain; charset=utf-8";
const maxPageBytes = 1024 * 1024;

export function createErrorAnswers({ pages, compat }: ErrorAnswersOptions): ErrorAnswers {
  return {
    answer(exchange, status) {
      if (exchange.aborted) return 0;
      const shown = compat === "redirectionio" && (status === 502 || status === 504) ? 503 : status;
      const page = pages.get(shown);
      const body = page?.body ?? `${shown} ${texts[status] ?? "the backend failed"}\n`;
      exchange.answer(shown, ["Content-Type", page?.contentType ?? plain], body);
      return shown;
    },
  };
}

/** Reads one file of `error_pages`. Throws FILE_NOT_READABLE. */
export async function loadErrorPage(file: string): Promise<ErrorPage> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > maxPageBytes) throw new Error("it is larger than 1 MiB");
    return { contentType: types[extname(file).toLowerCase()] ?? plain, body: bytes.toString("utf8") };
  } catch (cause) {
    throw agentErrors.create("FILE_NOT_READABLE", { file, reason: String(cause) }, { cause });
  }
}

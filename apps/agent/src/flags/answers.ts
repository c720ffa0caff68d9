import type { Exchange } from "../http/exchange.ts";

const titles = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Payload Too Large",
  415: "Unsupported Media Type",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;

export type ProblemStatus = keyof typeof titles;

/** An answer that says why not, as problem details (RFC 9457). */
export function answerProblem(
  exchange: Exchange,
  status: ProblemStatus,
  detail?: string,
  headers: string[] = [],
): void {
  const problem = { type: "about:blank", title: titles[status], status, detail };
  const type = ["Content-Type", "application/problem+json"];
  exchange.answer(status, [...type, ...headers], JSON.stringify(problem));
}

/** JSON that is ready; bytes stay as they are. There is never an ETag: Node's SDK would leave out its key when it has one (10.4). */
export function answerJson(exchange: Exchange, body: string | Buffer): void {
  const type = ["Content-Type", "application/json; charset=utf-8"];
  if (typeof body === "string") exchange.answer(200, type, body);
  else exchange.send(200, "OK", [...type, "Content-Length", String(body.length)], body, true);
}

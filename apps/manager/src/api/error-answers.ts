import { isPosthouseError, type PosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { runFailure, SqliteError } from "../database/sqlite-error.ts";
import { errors, statusOf } from "../errors.ts";
import { goJson } from "./go-json.ts";

/** Writes errors: as Flecto's agents know them below their paths, as `{code, message, hint}` elsewhere. */
export function registerErrorAnswers(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler((request, reply) =>
    answer(request, reply, errors.create("ROUTE_NOT_FOUND", { path: request.url.split("?", 1)[0] ?? "" })),
  );
  app.setErrorHandler((error, request, reply) => {
    const expected = request.routeOptions.url?.endsWith("/import")
      ? "text/tab-separated-values or text/csv"
      : "application/json";
    const known = asKnown(error, request.routeOptions.bodyLimit ?? 0, expected);
    if (statusOf(known.code) >= 500)
      log.error({ error, method: request.method, url: request.url }, "request failed");
    return answer(request, reply, known);
  });
}

function asKnown(error: unknown, bodyLimit: number, expected: string): PosthouseError {
  if (isPosthouseError(error)) return error;
  if (error instanceof SqliteError) return runFailure(error);
  const { code, statusCode, message } = error as FastifyError;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") return errors.create("BODY_TOO_LARGE", { limit: bodyLimit });
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return errors.create("MEDIA_TYPE_UNSUPPORTED", { expected });
  if (statusCode !== undefined && statusCode < 500)
    return errors.create("REQUEST_INVALID", { reason: message });
  return errors.create("INTERNAL", {}, { cause: error });
}

function answer(request: FastifyRequest, reply: FastifyReply, error: PosthouseError): FastifyReply {
  const isFlecto = request.is404
    ? request.url.startsWith("/api/") && !request.url.startsWith("/api/v1/")
    : request.routeOptions.config.errors === "flecto";
  if (isFlecto) return answerAsFlecto(request, reply, error);
  const { code, message, hint } = error;
  if (code === "LOGIN_THROTTLED") reply.header("retry-after", hint?.match(/\d+/)?.[0] ?? "1");
  return reply
    .code(statusOf(code))
    .type("application/json; charset=utf-8")
    .send(JSON.stringify({ code, message, ...(hint === undefined ? {} : { hint }) }));
}

const flectoMessages: Partial<Record<string, string>> = {
  PROJECT_NOT_FOUND: "record not found",
  ROUTE_NOT_FOUND: "Not Found",
};

function answerAsFlecto(
  request: FastifyRequest,
  reply: FastifyReply,
  { code, message }: PosthouseError,
): FastifyReply {
  if (code === "PERMISSION_MISSING") return reply.code(403).send();
  const status = code === "PROJECT_NOT_FOUND" ? 500 : statusOf(code);
  if (request.method === "HEAD") return reply.code(status).send();
  return sendGoJson(reply.code(status), { message: flectoMessages[code] ?? message });
}

/** Sends JSON as Go's encoder writes it, newline included. */
export function sendGoJson(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type("application/json").send(Buffer.from(`${goJson(value)}\n`));
}

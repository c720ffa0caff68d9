/**
 * Who may do what. Every route says in its `config.access` what it needs; a route that says nothing is refused when
 * the server is built. This hook is the one place that reads credentials and checks permissions.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { errors } from "../errors.ts";
import { type AdminPermission, allows, allowsAdmin, type Permission } from "../store/permission.ts";
import type { SessionStore } from "../store/session.ts";
import type { Subject } from "../store/subject.ts";
import { type TokenStore, tokenPrefix } from "../store/token.ts";

export interface ProjectRight {
  readonly resource: "redirect" | "page" | "agent" | "any";
  readonly action: "read" | "write";
}

/** Nobody in particular; whoever is logged in; all of these rights in the project of the path; a right over the Manager. */
export type Access =
  | "public"
  | "authenticated"
  | "loopback-or-metrics"
  | { readonly project: readonly ProjectRight[] }
  | { readonly admin: AdminPermission };

declare module "fastify" {
  interface FastifyContextConfig {
    access?: Access;
    /** How errors are written: as Flecto's agents know them, or as the rest of the API does. */
    errors?: "flecto" | "posthouse";
  }
  interface FastifyRequest {
    subject: Subject | undefined;
    /** The token that the request carries, once it was accepted. */
    secret: string;
  }
}

export interface AuthOptions {
  readonly stores: { readonly tokens: TokenStore; readonly sessions: SessionStore };
  /** Name of the header that carries `Bearer TOKEN`, in lower case. */
  readonly header: string;
}

export interface ProjectParams {
  readonly ns: string;
  readonly prj: string;
}

/** Puts the check before every route of the server, those that do not exist below /api included. */
export function registerAuth(app: FastifyInstance, { stores, header }: AuthOptions): void {
  app.decorateRequest("subject", undefined);
  app.decorateRequest("secret", "");
  app.addHook("onRoute", ({ method, url, config }) => {
    if (config?.access === undefined) throw new Error(`${String(method)} ${url} does not say who may use it`);
  });
  app.addHook("onRequest", async (request) => {
    const access = request.is404
      ? missingRouteAccess(request)
      : (request.routeOptions.config.access ?? "authenticated");
    if (access === "public" || (access === "loopback-or-metrics" && isLoopback(request))) return;
    const secret = bearerOf(request, header);
    const subject = await authenticate(secret, stores);
    request.subject = subject;
    request.secret = secret;
    if (access === "authenticated") return;
    if (access === "loopback-or-metrics") return requireAdmin(subject, { section: "*", action: "read" });
    if ("admin" in access) return requireAdmin(subject, access.admin);
    const { ns, prj } = request.params as ProjectParams;
    for (const right of access.project) requireProject(subject, { ns, prj }, right);
  });
}

const missingRouteAccess = (request: FastifyRequest): Access =>
  request.url.startsWith("/api/") ? "authenticated" : "public";

async function authenticate(secret: string, { tokens, sessions }: AuthOptions["stores"]): Promise<Subject> {
  if (secret.startsWith(tokenPrefix)) {
    const subject = await tokens.find(secret);
    if (!subject) throw errors.create("TOKEN_REFUSED");
    return subject;
  }
  const subject = await sessions.find(secret);
  if (!subject) throw errors.create("SESSION_REFUSED");
  return subject;
}

/** @throws AUTHORIZATION_MISSING */
function bearerOf({ headers }: FastifyRequest, header: string): string {
  const value = headers[header];
  if (typeof value !== "string" || !value.startsWith("Bearer ") || value.length <= 7)
    throw errors.create("AUTHORIZATION_MISSING");
  return value.slice(7);
}

/** The token or session with which a request came to a route that is not public. */
export function secretOf(request: FastifyRequest): string {
  return request.secret;
}

/** Who sent this request to a route that is not public. */
export function subjectOf(request: FastifyRequest): Subject {
  if (!request.subject) throw errors.create("AUTHORIZATION_MISSING");
  return request.subject;
}

/** @throws PERMISSION_MISSING */
export function requireAdmin(subject: Subject, asked: AdminPermission): void {
  if (!allowsAdmin(subject, asked))
    throw errors.create("PERMISSION_MISSING", { permission: `${asked.section}:${asked.action}` });
}

/** @throws PERMISSION_MISSING */
export function requireProject(subject: Subject, { ns, prj }: ProjectParams, right: ProjectRight): void {
  const asked: Omit<Permission, "resource"> & ProjectRight = { namespace: ns, project: prj, ...right };
  if (!allows(subject, asked))
    throw errors.create("PERMISSION_MISSING", {
      permission: `${right.resource}:${right.action} in ${ns}/${prj}`,
    });
}

function isLoopback(request: FastifyRequest): boolean {
  const address = request.socket.remoteAddress ?? "";
  const forwarded =
    request.headers["x-forwarded-for"] !== undefined || request.headers.forwarded !== undefined;
  return !forwarded && (address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127."));
}

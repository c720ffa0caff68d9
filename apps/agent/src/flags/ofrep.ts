/**
 * OpenFeature's remote evaluation protocol, OFREP 0.1: any OpenFeature SDK evaluates flags here. An environment's secret
 * is the key, of either type. Only here answers have an ETag: FeatBit's SDKs must not get one (10.4).
 */
import type { EnvironmentFlags, Flag, FlagSet, SegmentIndex } from "@posthouse/flags";
import type { Log } from "@posthouse/service";
import type { Tallies, Tally } from "../core/metrics.ts";
import { type Exchange, headerValue } from "../http/exchange.ts";
import { BodyRefused, readJson } from "../http/json-body.ts";
import type { EnvironmentSecret } from "../replica/featbit/dump.ts";
import type { FlagStore } from "../replica/featbit/flag-store.ts";
import { allowAnyOrigin } from "./cors.ts";
import { environmentName } from "./feeds.ts";
import { OfrepRefusal, parseContext } from "./ofrep-context.ts";
import { evaluateForOfrep } from "./ofrep-evaluation.ts";
import { flagsDigest, quotedDigest, userTag } from "./ofrep-tag.ts";

export interface OfrepOptions {
  readonly store: FlagStore;
  readonly maxBodyBytes: () => number;
  /** By environment and status. */
  readonly requests: Tallies;
  readonly evaluations: Tallies;
  keyRefused(status: 401 | 503): Tally;
  readonly log: Log;
}

export interface Ofrep {
  /** Answers what is for OFREP; false: it is not. */
  handle(exchange: Exchange): boolean;
}

/** What an environment answers from. */
interface Listed {
  /** Those that are not archived, by key, in the order of their keys, so that the same flags are the same text. */
  readonly flags: ReadonlyMap<string, Flag>;
  /** What the digest was made with. */
  segments?: SegmentIndex;
  digest?: string;
}

const nothing: Listed = { flags: new Map() };
const flagsPath = "/ofrep/v1/evaluate/flags";
const configuration = JSON.stringify({
  name: "Posthouse",
  capabilities: {
    cacheInvalidation: { polling: { enabled: true, minPollingIntervalMs: 1000 } },
    flagEvaluation: { supportedTypes: ["boolean", "string", "int", "float", "object"] },
  },
});

const configurationTag = quotedDigest(configuration);

export function createOfrep(options: OfrepOptions): Ofrep {
  const { store, maxBodyBytes, requests, evaluations, keyRefused, log } = options;
  const listed = new WeakMap<EnvironmentFlags, Listed>();

  function listOf({ environments }: FlagSet, { envId }: EnvironmentSecret): Listed {
    const environment = environments.get(envId.toLowerCase());
    if (environment === undefined) return nothing;
    const known = listed.get(environment);
    if (known !== undefined) return known;
    const flags = [...environment.flags.values()]
      .filter(({ isArchived }) => !isArchived)
      .sort((a, b) => (a.key === b.key ? a.timestamp - b.timestamp : a.key < b.key ? -1 : 1));
    const made = { flags: new Map(flags.map((flag) => [flag.key, flag])) };
    listed.set(environment, made);
    return made;
  }

  /** Segments are of all environments: they may change where the environment does not. */
  function digestOf(list: Listed, segments: SegmentIndex): string {
    if (list.digest === undefined || list.segments !== segments) {
      list.digest = flagsDigest(list.flags.values(), segments);
      list.segments = segments;
    }
    return list.digest;
  }

  /** Undefined when it answered. */
  function admit(exchange: Exchange): EnvironmentSecret | undefined {
    const secret = store.findSecret(givenKey(exchange));
    if (secret !== undefined) return secret;
    keyRefused(store.isAuthoritative ? 401 : 503).value++;
    if (store.isAuthoritative)
      answer(exchange, 401, { errorDetails: "unknown key" }, ["WWW-Authenticate", "Bearer"]);
    else answer(exchange, 503, { errorDetails: "not ready, try again" }, ["Retry-After", "5"]);
    return undefined;
  }

  const nameOf = ({ envId }: EnvironmentSecret): string => environmentName(store.state, envId.toLowerCase());

  function count(secret: EnvironmentSecret, status: number): void {
    requests.with({ environment: nameOf(secret), status: String(status) }).value++;
  }

  async function evaluateAll(exchange: Exchange, secret: EnvironmentSecret): Promise<void> {
    const user = parseContext(await readJson(exchange, maxBodyBytes()));
    const { flagSet } = store.state;
    const { segments } = flagSet;
    const list = listOf(flagSet, secret);
    const status = answerTagged(exchange, userTag(digestOf(list, segments), user), () => {
      const texts = [...list.flags.values()].map((flag) => evaluateForOfrep(flag, user, segments).text);
      evaluations.with({ environment: nameOf(secret) }).value += texts.length;
      return `{"flags":[${texts.join()}]}`;
    });
    count(secret, status);
  }

  async function evaluateOne(exchange: Exchange, secret: EnvironmentSecret, key: string): Promise<void> {
    const body = await readJson(exchange, maxBodyBytes());
    const { flagSet } = store.state;
    const flag = listOf(flagSet, secret).flags.get(key);
    if (flag === undefined) {
      answer(exchange, 404, { key, errorCode: "FLAG_NOT_FOUND", errorDetails: "no such flag" });
      return count(secret, 404);
    }
    const { isSuccess, text } = evaluateForOfrep(flag, parseContext(body), flagSet.segments);
    evaluations.with({ environment: nameOf(secret) }).value++;
    const status = isSuccess ? 200 : 400;
    exchange.answer(status, [...json], text);
    count(secret, status);
  }

  async function run(exchange: Exchange, key: string | undefined): Promise<void> {
    const secret = admit(exchange);
    if (secret === undefined) return;
    try {
      await (key === undefined ? evaluateAll(exchange, secret) : evaluateOne(exchange, secret, key));
    } catch (error) {
      if (exchange.aborted) return;
      const status = refusedWith(error);
      count(secret, status);
      const errorCode =
        error instanceof OfrepRefusal ? error.code : status === 500 ? "GENERAL" : "PARSE_ERROR";
      if (status === 500) log.error({ error, path: exchange.target }, "could not answer an OFREP request");
      const errorDetails = status === 500 ? "internal error" : (error as Error).message;
      answer(exchange, status, { key, errorCode, errorDetails });
    }
  }

  return {
    handle(exchange) {
      const path = pathOf(exchange.target);
      if (!/^\/ofrep\//i.test(path)) return false;
      exchange.addHeader("Access-Control-Expose-Headers", "ETag, Retry-After");
      if (allowAnyOrigin(exchange)) return true;
      const lower = path.toLowerCase();
      if (lower === "/ofrep/v1/configuration") {
        if (!isMethod(exchange, "GET", "HEAD")) return true;
        const secret = admit(exchange);
        if (secret !== undefined)
          count(
            secret,
            answerTagged(exchange, configurationTag, () => configuration),
          );
        return true;
      }
      const key = lower.startsWith(`${flagsPath}/`) ? decodeKey(path.slice(flagsPath.length + 1)) : undefined;
      if (lower !== flagsPath && !key) answer(exchange, 404, { errorDetails: "no such path" });
      else if (isMethod(exchange, "POST")) void run(exchange, key);
      return true;
    },
  };
}

const json = ["Content-Type", "application/json; charset=utf-8"] as const;

function answer(exchange: Exchange, status: number, body: object, headers: readonly string[] = []): void {
  exchange.answer(status, [...json, ...headers], JSON.stringify(body));
}

/** In the case in which it came: keys of flags differ by it. As elsewhere, slashes at its beginning count as one. */
function pathOf(target: string): string {
  const [path = ""] = target.split("?", 1);
  return path.replace(/^https?:\/\/[^/]*/i, "").replace(/^\/+/, "/");
}

/** False when it answered. */
function isMethod(exchange: Exchange, ...allowed: readonly string[]): boolean {
  if (allowed.includes(exchange.method)) return true;
  answer(exchange, 405, { errorDetails: "wrong method" }, ["Allow", allowed.join(", ")]);
  return false;
}

/** Returns the status: 304 to who has what this tag stands for, without asking for it. */
function answerTagged(exchange: Exchange, tag: string, body: () => string): number {
  const had = headerValue(exchange, "if-none-match") ?? "";
  const isSame = had.split(",").some((one) => one.trim().replace(/^W\//, "") === tag);
  const headers = ["ETag", tag, "Cache-Control", "private, no-cache"];
  if (isSame) exchange.answer(304, headers, "");
  else exchange.answer(200, [...json, ...headers], body());
  return isSame ? 304 : 200;
}

function refusedWith(error: unknown): number {
  if (error instanceof OfrepRefusal) return 400;
  return error instanceof BodyRefused ? error.status : 500;
}

/** As `Authorization: Bearer KEY`, `Authorization: KEY` or `X-API-Key: KEY`. */
function givenKey(exchange: Exchange): string {
  const authorization = headerValue(exchange, "authorization")?.trim();
  if (authorization) return authorization.replace(/^Bearer\s+/i, "");
  return headerValue(exchange, "x-api-key")?.trim() ?? "";
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

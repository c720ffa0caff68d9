/**
 * What requests for flags cost: OFREP and polling over HTTP, from a real agent on one core, the load on the other. The
 * peer is node:http alone, which reads the same requests and sends prepared answers with the same headers and bytes.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeFlags, makeUser } from "@posthouse/testkit/featbit/generate";
import { pressSync } from "@posthouse/testkit/featbit/portal-sync";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { type FlagsAgent, startFlagsAgent } from "@posthouse/testkit/flags-agent";
import { readUsage, startPeer } from "@posthouse/testkit/peer-process";
import { freePort, needPackage } from "@posthouse/testkit/services";
import type { BenchCase, BenchContext } from "./bench.ts";
import { type LoadedServer, type LoadOptions, measureLoad } from "./load.ts";
import { chooseCores } from "./redirects.bench.ts";
import { compare, type Figures, interleave } from "./rounds.ts";

export interface FlagsRequestsSizes {
  readonly flags: number;
  /** Who asks, in turn. */
  readonly users: number;
  readonly connections: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** Whether each case is loaded once before it is measured; the peer, whose cases are one, before the first. */
  readonly warmUp: boolean;
  /** However many rounds were asked for: a measurement takes a second at least. */
  readonly maxRounds: number;
}

interface Request {
  readonly method: "GET" | "POST";
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

interface RequestCase {
  readonly name: string;
  readonly requests: readonly Request[];
  /** Throws when an answer is not what the case is about. */
  readonly check: (answer: Answer) => void;
}

const relayKey = "rp-bench";
const ofrep = "/ofrep/v1/evaluate/flags";
const polling = (kind: "client" | "server", timestamp: number): string =>
  `/api/public/sdk/${kind}/latest-all?timestamp=${timestamp}`;

/** Yields requests a second and CPU time of every kind of request. Says so when wrk is missing, and yields nothing. */
export async function* measureFlagRequests(
  context: BenchContext,
  sizes: FlagsRequestsSizes,
): AsyncGenerator<BenchCase> {
  const wrk = await needPackage("wrk", "wrk");
  if ("missing" in wrk) return context.progress(`NOT MEASURED: requests for flags: ${wrk.missing}`);
  const [serverCore, loadCore] = await chooseCores(context);
  const folder = await mkdtemp(join(tmpdir(), "posthouse-bench-"));
  try {
    const flags = { mode: "manual", api_key: relayKey };
    await using agent = await startFlagsAgent({ folder: join(folder, "agent"), flags });
    if (serverCore !== undefined)
      await promisify(execFile)("taskset", ["-acp", String(serverCore), String(agent.process.pid)]);
    const ours: LoadedServer = {
      port: Number(new URL(agent.url).port),
      usage: () => readUsage(agent.process.pid),
    };
    const cases = await prepareCases(agent, ours.port, sizes);
    const answers = join(folder, "answers.json");
    await writeFile(answers, JSON.stringify(await prepareAnswers(ours.port, cases)));
    const port = await freePort();
    const args = [join(import.meta.dirname, "flags-bare-server.ts"), String(port), answers];
    await using bare = await startPeer({ command: process.execPath, args, port, core: serverCore });
    const peer: LoadedServer = { port, usage: bare.usage };
    for (const { requests, check } of cases) if (requests[0]) check(await ask(port, requests[0]));

    const rounds = Math.min(context.rounds, sizes.maxRounds);
    for (const { name, requests } of cases) {
      const load: LoadOptions = {
        wrk: wrk.path,
        requests: join(folder, "requests.http"),
        connections: sizes.connections,
        seconds: sizes.seconds,
        core: loadCore,
      };
      await writeFile(load.requests, requests.map(rawRequest).join("\0"));
      const cold = sizes.warmUp ? (name === cases[0]?.name ? [ours, peer] : [ours]) : [];
      for (const server of cold) await measureLoad(server, load);
      const measure = async (who: string, server: LoadedServer, round: number): Promise<Figures> => {
        const measured = await measureLoad(server, load);
        const [rate = Number.NaN, cpu = Number.NaN] = [
          measured["requests per second"],
          measured["CPU µs per request"],
        ];
        context.progress(
          `${name}, ${round}/${rounds}, ${who}: ${cpu.toFixed(1)} µs, ${rate.toFixed(0)} requests/s (load ${loadavg()[0]?.toFixed(1)})`,
        );
        return { "requests per second": rate, "CPU µs per request": cpu };
      };
      const figures = await interleave(
        rounds,
        (round) => measure("agent", ours, round),
        (round) => measure("node:http alone", peer, round),
      );
      yield* compare(name, figures.ours, figures.peer);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Gives the agent its flags, and makes the requests of each case, one a user. */
async function prepareCases(
  agent: FlagsAgent,
  port: number,
  sizes: FlagsRequestsSizes,
): Promise<RequestCase[]> {
  const world = new FeatbitWorld();
  const { featureFlags, segments } = makeFlags(sizes.flags);
  const environment = world.addEnvironment({ flags: featureFlags, segments });
  world.addRelayKey(undefined, relayKey);
  const { status } = await pressSync(world, agent.url, relayKey);
  if (status !== 200) throw new Error(`the agent answered ${status} to its flags`);

  const users = Array.from({ length: sizes.users }, (_, index) => makeUser(index));
  const secretOf = (kind: string): string =>
    environment.secrets.find(({ type }) => type === kind)?.value ?? "";
  const post = (target: string, body: unknown): Request => ({
    method: "POST",
    target,
    headers: { Authorization: secretOf("client"), "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const contexts = users.map(({ keyId, name, customizedProperties }) => {
    const properties = customizedProperties.map((each) => [each.name, each.value]);
    return { context: { targetingKey: keyId, name, ...Object.fromEntries(properties) } };
  });
  const bulk = contexts.map((body) => post(ofrep, body));
  const known: Request[] = [];
  for (const each of bulk)
    known.push({
      ...each,
      headers: { ...each.headers, "If-None-Match": etagOf(await ask(port, each)) },
    });
  const single = contexts.map((body, index) =>
    post(`${ofrep}/${featureFlags[index % sizes.flags]?.key}`, body),
  );
  const server: Request = {
    method: "GET",
    target: polling("server", 0),
    headers: { Authorization: secretOf("server") },
    body: "",
  };
  const since = Date.now();
  const all = sizes.flags;
  return [
    {
      name: "OFREP, all flags",
      requests: bulk,
      check: expecting(200, all, (body) => body.flags),
    },
    { name: "OFREP, all flags, 304", requests: known, check: expecting(304) },
    { name: "OFREP, one flag", requests: single, check: expecting(200, 1, (body) => [body.key]) },
    {
      name: "client polling, all flags",
      requests: users.map((user) => post(polling("client", 0), user)),
      check: expecting(200, all, (body) => body.data?.featureFlags),
    },
    {
      name: "client polling, nothing new",
      requests: users.map((user) => post(polling("client", since), user)),
      check: expecting(200),
    },
    {
      name: "server polling, all flags",
      requests: [server],
      check: expecting(200, all, (body) => body.data?.featureFlags),
    },
  ];
}

interface AnswerBody {
  readonly key?: string;
  readonly flags?: readonly unknown[];
  readonly data?: { readonly featureFlags?: readonly unknown[] };
}

/** Without a list of flags, the body must be empty. */
function expecting(
  status: number,
  count = 0,
  listOf?: (body: AnswerBody) => readonly unknown[] | undefined,
): RequestCase["check"] {
  return (answer) => {
    const found = listOf ? listOf(JSON.parse(answer.body) as AnswerBody)?.length : answer.body.length;
    if (answer.status !== status || found !== count)
      throw new Error(`expected ${status} with ${count}, got ${answer.status}: ${answer.body.slice(0, 200)}`);
  };
}

/** By what the bare server tells requests apart by. A user of several stands for all: their answers are about as long. */
async function prepareAnswers(
  port: number,
  cases: readonly RequestCase[],
): Promise<Readonly<Record<string, Answer>>> {
  const answers: Record<string, Answer> = {};
  for (const { requests, check } of cases) {
    for (const each of requests) {
      const answer = await ask(port, each);
      check(answer);
      answers[`${each.target} ${"If-None-Match" in each.headers}`] ??= answer;
    }
  }
  return answers;
}

/** Those that node:http writes by itself. */
const written = new Set(["connection", "content-length", "date", "keep-alive", "transfer-encoding"]);

function ask(port: number, { method, target, headers, body }: Request): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === "" ? {} : { "Content-Length": Buffer.byteLength(body) };
    const request = httpRequest(
      { host: "127.0.0.1", port, path: target, method, headers: { ...headers, ...length }, timeout: 10_000 },
      (response) => {
        let text = "";
        response
          .setEncoding("utf8")
          .on("data", (piece: string) => {
            text += piece;
          })
          .on("error", reject)
          .on("end", () => {
            const { statusCode: status = 0, rawHeaders: raw } = response;
            const kept = raw.filter((_, at) => !written.has((raw[at - (at % 2)] ?? "").toLowerCase()));
            resolve({ status, headers: kept, body: text });
          });
      },
    );
    request.on("error", reject).on("timeout", () => request.destroy(new Error("no answer")));
    request.end(body);
  });
}

function etagOf({ headers }: Answer): string {
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === "etag");
  const tag = at < 0 ? undefined : headers[at + 1];
  if (tag === undefined) throw new Error("the answer has no ETag");
  return tag;
}

function rawRequest({ method, target, headers, body }: Request): string {
  const lines = Object.entries({
    Host: "flags.example",
    ...headers,
    ...(body === "" ? {} : { "Content-Length": Buffer.byteLength(body) }),
  });
  return `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

/**
 * Runs cases of exact bytes: what a client sends, what reaches the backend, what it answers, what the client sees. Each
 * runs in clear text, and over TLS to the agent and on to the backend.
 */
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import {
  answerWith,
  type RawConnection,
  type RawScript,
  startRawBackend,
} from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { expect } from "vitest";
import { makeTlsFolder, noOpenssl } from "../../listeners/harness.ts";
import { type ProxyConfig, startProxy } from "../harness.ts";
import { head, ok, withoutPseudonyms } from "./bytes.ts";

/** What happens: the client sends bytes or its end, something was seen by it or reached the backend, which answers. */
export type Step =
  | string
  | { readonly end: true }
  /** What was sent has arrived at the proxy. */
  | { readonly settle: true }
  /** The proxy has closed its connection to the backend. */
  | { readonly letGo: true }
  | { readonly seen: string }
  | { readonly reached: string }
  | { readonly answered: string };

export interface WireCase {
  readonly name: string;
  /** The section that the case is about. */
  readonly rfc: string;
  readonly send: string | readonly Step[];
  /** All bytes that reach the backend; a list: by connection. Empty: none. */
  readonly reaches: string | readonly string[];
  /** What the backend answers to each whole request. */
  readonly answer?: string | RawScript;
  /** All bytes that the client sees, without the Date that the proxy adds. */
  readonly sees: string;
  /** The connection is open afterwards; else the proxy has closed it. */
  readonly open?: true;
  /** The proxy resets the connection, so that nobody takes what was seen for the whole; TLS has no such end. */
  readonly reset?: true;
}

export interface WireBench extends AsyncDisposable {
  readonly port: number;
  /** Once more in clear text where nothing may reach the backend: byte by byte. */
  run(wireCase: WireCase): Promise<void>;
}

const deadlineMs = 10_000;
const longestByByte = 1000;
const dateLine = /^Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n/gm;

/** One agent and one backend for many cases, and another two over TLS. Unless `config` says else, headers pass as they are, plus `Via`. */
export async function startWireBench(config: Partial<ProxyConfig> = {}): Promise<WireBench> {
  const plain = await startLane(config);
  const overTls = noOpenssl === undefined ? await startTlsLane(config) : undefined;
  return {
    port: plain.port,
    async run(wireCase) {
      const inClearText = async (): Promise<void> => {
        await plain.run(wireCase, Number.POSITIVE_INFINITY);
        const { send, reaches } = wireCase;
        if (reaches === "" && typeof send === "string" && send.length <= longestByByte)
          await plain.run(wireCase, 1);
      };
      const all = await Promise.allSettled([inClearText(), overTls?.run(wireCase, Number.POSITIVE_INFINITY)]);
      for (const each of all) if (each.status === "rejected") throw each.reason;
    },
    async [Symbol.asyncDispose]() {
      await plain[Symbol.asyncDispose]();
      await overTls?.[Symbol.asyncDispose]();
    },
  };
}

interface Lane extends AsyncDisposable {
  readonly port: number;
  run(wireCase: WireCase, pieceBytes: number): Promise<void>;
}

interface LaneTls {
  /** Files. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

async function startTlsLane(config: Partial<ProxyConfig>): Promise<Lane> {
  const { authority, ...folder } = await makeTlsFolder();
  const tls = { ca: authority.ca, ...authority.issue({ file: "wire", names: ["IP:127.0.0.1"] }) };
  const lane = await startLane(config, tls);
  return {
    ...lane,
    async [Symbol.asyncDispose]() {
      await lane[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function startLane(config: Partial<ProxyConfig>, tls?: LaneTls): Promise<Lane> {
  const where = tls === undefined ? "in clear text" : "over TLS";
  let script: RawScript = answerWith(ok);
  const backend = await startRawBackend(
    (connection, index) => script(connection, index),
    tls && { cert: await readFile(tls.cert, "utf8"), key: await readFile(tls.key, "utf8") },
  );
  const { forward, host, site, ...rest } = config;
  const proxy = await startProxy({
    forward: {
      upstreams: [`${tls === undefined ? "http" : "https"}://127.0.0.1:${backend.port}`],
      connections: { idle: 0 },
      ...(tls && { tls: { ca: tls.ca } }),
      ...(forward as object),
    },
    host: { preserve_host: true, forwarded_for_strategy: "none", ...host },
    site: { ...(tls && { tls: { certificates: [{ cert: tls.cert, key: tls.key }] } }), ...site },
    ...rest,
  });

  const overTls = (bytes: string): string =>
    tls === undefined
      ? bytes
      : bytes.replaceAll("X-Forwarded-Proto: http\r\n", "X-Forwarded-Proto: https\r\n");

  const withoutSentinel = ({ received }: RawConnection): string =>
    withoutPseudonyms(received).replace(/GET \/sentinel [\s\S]*?\r\n\r\n/, "");

  /** What was under way when it is sent has arrived when it is answered. */
  async function sendSentinel(): Promise<void> {
    script = answerWith(ok);
    const client = startClient(proxy.port, tls !== undefined);
    await client.send(
      head("GET /sentinel HTTP/1.1", "Host: a", "Connection: close"),
      Number.POSITIVE_INFINITY,
    );
    await until("the sentinel's answer", async () => client.closed(), deadlineMs);
  }

  async function settle(): Promise<void> {
    const before = script;
    await sendSentinel();
    script = before;
  }

  async function runOnce(wireCase: WireCase, pieceBytes: number): Promise<void> {
    const { answer = ok } = wireCase;
    script = typeof answer === "string" ? answerWith(answer) : answer;
    const before = backend.connections.length;
    const arrived = (): string[] =>
      backend.connections
        .slice(before)
        .map(withoutSentinel)
        .filter((received) => received !== "");
    const client = startClient(proxy.port, tls !== undefined);
    try {
      for (const step of typeof wireCase.send === "string" ? [wireCase.send] : wireCase.send) {
        if (typeof step === "string") await client.send(step, pieceBytes);
        else if ("end" in step) client.end();
        else if ("settle" in step) await settle();
        else if ("letGo" in step)
          await until(
            "let go",
            async () => backend.connections[before]?.socket.destroyed === true,
            deadlineMs,
          );
        else if ("answered" in step)
          backend.connections[before]?.socket.write(Buffer.from(step.answered, "latin1"));
        else if ("seen" in step)
          await until(step.seen, async () => client.seen().includes(step.seen), deadlineMs);
        else await until(step.reached, async () => arrived().join("").includes(step.reached), deadlineMs);
      }
      const expected = wireCase.sees;
      await until(
        `${wireCase.name} ${where}: ${JSON.stringify(expected)} instead of ${JSON.stringify(client.seen())}`,
        async () =>
          client.closed() || (wireCase.open === true && normalised(client.seen()).length >= expected.length),
        deadlineMs,
      ).catch(() => {});
      await sendSentinel();
      expectBytes(where, normalised(client.seen()), expected);
      expect(client.closed(), where).toBe(wireCase.open !== true);
      if (tls === undefined) expect(client.reset(), where).toBe(wireCase.reset === true);
      const reached = typeof wireCase.reaches === "string" ? arrived().join("") : arrived();
      const { reaches } = wireCase;
      expectBytes(where, reached, typeof reaches === "string" ? overTls(reaches) : reaches.map(overTls));
    } finally {
      client.destroy();
      for (const { socket } of backend.connections.slice(before)) socket.destroy();
      await sleep(0);
    }
  }

  return {
    port: proxy.port,
    run: runOnce,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

/** Prints both with their line ends when they differ. */
function expectBytes(
  where: string,
  actual: string | readonly string[],
  expected: string | readonly string[],
): void {
  expect(actual, `${where}: ${JSON.stringify(actual)}\ninstead of\n${JSON.stringify(expected)}`).toEqual(
    expected,
  );
}

const normalised = (text: string): string => text.replace(dateLine, "");

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Client {
  /** In pieces that arrive one after the other. */
  send(bytes: string, pieceBytes: number): Promise<void>;
  end(): void;
  seen(): string;
  closed(): boolean;
  reset(): boolean;
  destroy(): void;
}

function startClient(port: number, tls: boolean): Client {
  let seen = "";
  let closed = false;
  let reset = false;
  const options = { port, host: "127.0.0.1", noDelay: true };
  const socket = tls ? connectTls({ ...options, rejectUnauthorized: false }) : connect(options);
  socket.on("data", (chunk) => {
    seen += chunk.toString("latin1");
  });
  socket.on("error", () => {
    reset = true;
  });
  socket.on("close", () => {
    closed = true;
  });
  return {
    async send(bytes, pieceBytes) {
      for (let at = 0; at < bytes.length && !closed; at += pieceBytes) {
        if (at > 0) await nextTurn();
        if (socket.writable) socket.write(Buffer.from(bytes.slice(at, at + pieceBytes), "latin1"));
      }
    },
    end: () => void socket.end(),
    seen: () => seen,
    closed: () => closed,
    reset: () => reset,
    destroy: () => void socket.destroy(),
  };
}

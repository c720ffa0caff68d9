/** Runs cases of exact bytes: what a client sends, what reaches the backend, what it answers, what the client sees. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  answerWith,
  type RawConnection,
  type RawScript,
  startRawBackend,
} from "@posthouse/testkit/raw-backend";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { expect } from "vitest";
import { type ProxyConfig, startProxy } from "../harness.ts";
import { head, ok } from "./bytes.ts";

/** What happens: the client sends bytes or its end, something was seen by it or reached the backend, which answers. */
export type Step =
  | string
  | { readonly end: true }
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
  /** The proxy resets the connection, so that nobody takes what was seen for the whole. */
  readonly reset?: true;
}

export interface WireBench extends AsyncDisposable {
  readonly port: number;
  /** Twice where nothing may reach the backend: the second time byte by byte. */
  run(wireCase: WireCase): Promise<void>;
}

const deadlineMs = 10_000;
const longestByByte = 1000;
const dateLine = /^Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n/gm;

/** One agent and one backend for many cases. Unless `config` says else, headers pass as they are, plus `Via`. */
export async function startWireBench(config: Partial<ProxyConfig> = {}): Promise<WireBench> {
  let script: RawScript = answerWith(ok);
  const backend = await startRawBackend((connection, index) => script(connection, index));
  const { forward, host, ...rest } = config;
  const proxy = await startProxy({
    forward: {
      upstreams: [`http://127.0.0.1:${backend.port}`],
      connections: { idle: 0 },
      ...(forward as object),
    },
    host: { preserve_host: true, forwarded_for_strategy: "none", ...host },
    ...rest,
  });

  const withoutSentinel = ({ received }: RawConnection): string =>
    received.replace(/GET \/sentinel [\s\S]*?\r\n\r\n/, "");

  /** What was under way when it is sent has arrived when it is answered. */
  async function sendSentinel(): Promise<void> {
    script = answerWith(ok);
    await exchangeBytes(proxy.port, head("GET /sentinel HTTP/1.1", "Host: a", "Connection: close"), {
      deadlineMs,
    });
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
    const client = startClient(proxy.port);
    try {
      for (const step of typeof wireCase.send === "string" ? [wireCase.send] : wireCase.send) {
        if (typeof step === "string") await client.send(step, pieceBytes);
        else if ("end" in step) client.end();
        else if ("answered" in step)
          backend.connections.at(-1)?.socket.write(Buffer.from(step.answered, "latin1"));
        else if ("seen" in step)
          await until(step.seen, async () => client.seen().includes(step.seen), deadlineMs);
        else await until(step.reached, async () => arrived().join("").includes(step.reached), deadlineMs);
      }
      const expected = wireCase.sees;
      await until(
        `${wireCase.name}: ${JSON.stringify(expected)} instead of ${JSON.stringify(client.seen())}`,
        async () =>
          client.closed() || (wireCase.open === true && normalised(client.seen()).length >= expected.length),
        deadlineMs,
      ).catch(() => {});
      await sendSentinel();
      expectBytes(normalised(client.seen()), expected);
      expect({ closed: client.closed(), reset: client.reset() }).toEqual({
        closed: wireCase.open !== true,
        reset: wireCase.reset === true,
      });
      expectBytes(typeof wireCase.reaches === "string" ? arrived().join("") : arrived(), wireCase.reaches);
    } finally {
      client.destroy();
      for (const { socket } of backend.connections.slice(before)) socket.destroy();
      await sleep(0);
    }
  }

  return {
    port: proxy.port,
    async run(wireCase) {
      await runOnce(wireCase, Number.POSITIVE_INFINITY);
      const { send, reaches } = wireCase;
      if (reaches === "" && typeof send === "string" && send.length <= longestByByte)
        await runOnce(wireCase, 1);
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

/** Prints both with their line ends when they differ. */
function expectBytes(actual: string | readonly string[], expected: string | readonly string[]): void {
  expect(actual, `${JSON.stringify(actual)}\ninstead of\n${JSON.stringify(expected)}`).toEqual(expected);
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

function startClient(port: number): Client {
  let seen = "";
  let closed = false;
  let reset = false;
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
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

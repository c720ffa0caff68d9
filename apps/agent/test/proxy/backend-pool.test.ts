/** Which connection of a pool a request gets, when it matters that a backend may have closed it. */
import { answerWith, type RawBackend, startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import type { BackendConnection } from "../../src/proxy/backend/connection.ts";
import { BackendPool, type PooledCall } from "../../src/proxy/backend/pool.ts";

const idleMs = 30_000;

interface Outcome {
  readonly connection: BackendConnection;
  readonly isFresh: boolean;
}

function createPool(backend: RawBackend, maxConnections = 10): BackendPool {
  const address = { text: "backend", host: "127.0.0.1", port: backend.port };
  return new BackendPool(address, { maxConnections, maxWaiting: 10, maxIdle: 10, idleMs });
}

/** Sends a request and resolves when it is answered and its connection idle. */
function ask(pool: BackendPool, isRepeatable = true): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let outcome: Outcome | undefined;
    const send = (): void => {
      outcome?.connection.sendHead("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true);
    };
    const call: PooledCall = {
      method: "GET",
      isRepeatable,
      onConnection(connection, isFresh) {
        outcome = { connection, isFresh };
        if (connection.isConnected) send();
      },
      onConnected: send,
      onInformational() {},
      onWhole: () => outcome && resolve(outcome),
      onHead() {},
      onBody() {},
      onEnd() {},
      onUpgrade() {},
      onDrain() {},
      onFailed: reject,
    };
    pool.take(call);
  });
}

const answer = (...lines: string[]): string =>
  ["HTTP/1.1 200 OK", ...lines, "Content-Length: 0", "", ""].join("\r\n");

async function withPool(
  bytes: string,
  test: (pool: BackendPool, backend: RawBackend) => Promise<void>,
  maxConnections?: number,
): Promise<void> {
  await using backend = await startRawBackend(answerWith(bytes));
  const pool = createPool(backend, maxConnections);
  try {
    await test(pool, backend);
  } finally {
    pool.destroy();
  }
}

describe("a pool of connections", () => {
  it("uses one again, also for what cannot be repeated", async () => {
    await withPool(answer(), async (pool) => {
      const { connection, isFresh } = await ask(pool);
      expect(isFresh).toBe(true);
      connection.idleSince = performance.now();
      expect(await ask(pool, false)).toEqual({ connection, isFresh: false });
    });
  });

  it("gives what cannot be repeated a fresh one when the others were idle for more than a moment", async () => {
    await withPool(answer(), async (pool) => {
      const { connection } = await ask(pool);
      connection.idleSince -= 2000;
      const other = await ask(pool, false);
      expect([other.isFresh, other.connection === connection, pool.open]).toEqual([true, false, 2]);
      connection.idleSince -= 2000;
      other.connection.idleSince -= 2000;
      expect((await ask(pool, true)).isFresh).toBe(false);
    });
  });

  it("makes room for the fresh one when it is full", async () => {
    await withPool(
      answer(),
      async (pool) => {
        const { connection } = await ask(pool);
        connection.idleSince -= 2000;
        expect((await ask(pool, false)).isFresh).toBe(true);
        await until("the old one is gone", async () => pool.open === 1);
      },
      1,
    );
  });

  it.each([
    ["a second earlier than the backend announces", "Keep-Alive: timeout=5", 4000],
    ["whatever else it announces", "Keep-Alive: max=100, Timeout=20", 19_000],
    ["after half of a short time", "Keep-Alive: timeout=1", 500],
    ["after its own time when that is shorter", "Keep-Alive: timeout=3600", idleMs],
    ["after its own time when nothing is announced", "X: 1", idleMs],
    ["after its own time when what is announced is no number", "Keep-Alive: timeout=x", idleMs],
  ])("gives one up %s", async (_, line, expected) => {
    await withPool(answer(line), async (pool) => {
      const { connection } = await ask(pool);
      expect(connection.idleUntil - connection.idleSince).toBeCloseTo(expected);
      pool.sweep(connection.idleUntil - 1);
      expect(pool.idle).toBe(1);
      pool.sweep(connection.idleUntil);
      expect(pool.idle).toBe(0);
      expect((await ask(pool)).isFresh).toBe(true);
    });
  });

  it("does not use one whose time is over, though nobody has swept", async () => {
    await withPool(answer(), async (pool) => {
      const { connection } = await ask(pool);
      connection.idleUntil = performance.now() - 1;
      const { isFresh } = await ask(pool);
      expect([isFresh, connection.socket.destroyed]).toEqual([true, true]);
    });
  });

  it("does not keep one that the backend will not wait on", async () => {
    await withPool(answer("Keep-Alive: timeout=0"), async (pool) => {
      await ask(pool);
      await until("it is closed", async () => pool.open === 0);
    });
  });

  it("does not use one that is being closed", async () => {
    await withPool(answer(), async (pool) => {
      const { connection } = await ask(pool);
      connection.socket.destroy();
      expect((await ask(pool)).isFresh).toBe(true);
    });
  });
});

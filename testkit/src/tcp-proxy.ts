import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy whose connections can be cut, on a port of its own. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Where new connections go, a port of 127.0.0.1. */
  target: number;
  /** Connections that were taken up to now. */
  readonly connections: number;
  /** Connections of which a side is not closed yet: what it sent may still be passed on. */
  readonly open: number;
  /** True: bytes are taken no more, in either direction, and no end is passed on, until it is false. */
  hangs(value: boolean): void;
  /** Resets all connections; new ones are taken. */
  reset(): void;
  /** Sends these bytes to all clients as if they were the target's. */
  inject(bytes: Uint8Array): void;
}

export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const held: (() => void)[] = [];
  let taken = 0;
  let open = 0;
  let isHanging = false;
  const server = createServer((near) => {
    taken++;
    const far = connect({ port: proxy.target, host: "127.0.0.1" });
    const pair = [near, far] as const;
    pairs.add(pair);
    open++;
    let sides = pair.length;
    for (const [from, to] of [pair, [far, near] as const]) {
      from.setNoDelay(true);
      from.on("data", (bytes) => {
        if (to.writable && !to.write(bytes)) from.pause();
      });
      to.on("drain", () => isHanging || from.resume());
      from.on("error", () => {});
      from.on("close", (failed) => {
        if (--sides === 0) open--;
        const pass = (): void => {
          pairs.delete(pair);
          if (failed) to.resetAndDestroy();
          else to.end().resume();
        };
        if (isHanging) held.push(pass);
        else pass();
      });
      if (isHanging) from.pause();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve());
  });
  const address = server.address();
  const reset = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
  };
  const proxy: TcpProxy = {
    port: typeof address === "object" && address !== null ? address.port : 0,
    target,
    get connections() {
      return taken;
    },
    get open() {
      return open;
    },
    hangs(value) {
      isHanging = value;
      if (!value) for (const pass of held.splice(0)) pass();
      for (const pair of pairs) for (const socket of pair) value ? socket.pause() : socket.resume();
    },
    reset,
    inject(bytes) {
      for (const [near] of pairs) near.write(bytes);
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      reset();
      await closed;
    },
  };
  return proxy;
}

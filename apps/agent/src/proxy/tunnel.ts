import type { Duplex } from "node:stream";

/** Two connections, each the other's continuation. */
export interface Tunnel {
  destroy(): void;
}

/**
 * Copies both ways until both have ended, with backpressure. When one side breaks, or nothing moves for `idleMs`, both
 * are cut.
 */
export function openTunnel(
  a: Duplex,
  b: Duplex,
  idleMs: number,
  onClosed: (wasIdle: boolean) => void,
): Tunnel {
  let open = 2;
  let wasIdle = false;
  const timer = setTimeout(() => {
    wasIdle = true;
    destroy();
  }, idleMs);

  function destroy(): void {
    a.destroy();
    b.destroy();
  }

  function copy(from: Duplex, to: Duplex): void {
    from.on("data", (chunk: Buffer) => {
      timer.refresh();
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("end", () => to.end());
    from.on("error", destroy);
    from.on("close", () => {
      if (!from.readableEnded) destroy();
      else to.end();
      open -= 1;
      if (open > 0) return;
      clearTimeout(timer);
      onClosed(wasIdle);
    });
    from.resume();
  }

  copy(a, b);
  copy(b, a);
  return { destroy };
}

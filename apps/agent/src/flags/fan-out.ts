/**
 * Who is told next. Sessions that are due wait in one line and are told in slices of a few milliseconds, so that a
 * change for ten thousand delays no ping. A session whose socket has not taken what it was sent before is left out of
 * the line until it has: it holds no bytes, delays nobody, and gets all that happened meanwhile at once.
 */
import type { Session } from "./session.ts";

export interface FanOutLimits {
  /** Bytes that may wait for one peer on top of what it is being told. */
  readonly queue: number;
  /** How long a peer may take for what it was sent, in ms. */
  readonly send_time: number;
  /** How long a peer may say nothing, in ms. */
  readonly silence: number;
}

export interface FanOut {
  limits: FanOutLimits;
  /** Tells a session what it is owed, soon. Free to call again. */
  schedule(session: Session): void;
  /** Drops what is waiting. */
  stop(): void;
}

const sliceMs = 5;
const behindCheckMs = 20;
/** Entries at the head of the line that are done with. */
const compactAt = 10_000;

export function createFanOut(limits: FanOutLimits): FanOut {
  let line: Session[] = [];
  let next = 0;
  let run: NodeJS.Immediate | undefined;
  const behind = new Set<Session>();
  let behindTimer: NodeJS.Timeout | undefined;

  function schedule(session: Session): void {
    if (session.isQueued || !session.isDue || session.behindSince > 0) return;
    session.isQueued = true;
    line.push(session);
    run ??= setImmediate(work);
  }

  function work(): void {
    run = undefined;
    const end = performance.now() + sliceMs;
    while (next < line.length && performance.now() < end) {
      const session = line[next++] as Session;
      session.isQueued = false;
      if (!session.socket.isOpen || !session.isDue) continue;
      if (session.socket.queuedBytes === 0) session.tell();
      if (session.socket.queuedBytes > 0) leaveOut(session);
    }
    if (next < line.length) run = setImmediate(work);
    if (next === line.length || next > compactAt) {
      line = line.slice(next);
      next = 0;
    }
  }

  function leaveOut(session: Session): void {
    session.behindSince = performance.now();
    session.behindBytes = session.socket.queuedBytes;
    behind.add(session);
    behindTimer ??= setInterval(checkBehind, behindCheckMs);
  }

  function checkBehind(): void {
    const now = performance.now();
    for (const session of behind) {
      const { socket } = session;
      if (socket.isOpen && socket.queuedBytes > 0) {
        if (now - session.behindSince <= api.limits.send_time) continue;
        session.counters.lost("slow").value++;
        socket.close(1013, "reads too slowly");
      }
      behind.delete(session);
      session.behindSince = 0;
      session.behindBytes = 0;
      if (socket.isOpen) schedule(session);
    }
    if (behind.size > 0) return;
    clearInterval(behindTimer);
    behindTimer = undefined;
  }

  const api: FanOut = {
    limits,
    schedule,
    stop() {
      clearImmediate(run);
      clearInterval(behindTimer);
      run = undefined;
      behindTimer = undefined;
      line = [];
      next = 0;
      behind.clear();
    },
  };
  return api;
}

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";

interface Part {
  start(): Promise<void>;
  stop(deadlineMs: number): Promise<void>;
}

export interface LifecycleSubject {
  readonly part: Part;
  /** Removes what the factory made beside the part. */
  cleanUp?(): Promise<void> | void;
}

export interface LifecycleContractOptions {
  readonly name: string;
  /** A part that starts. Called once per test. */
  create(): Promise<LifecycleSubject> | LifecycleSubject;
  /** A part whose first start fails until `repair` was called. Leave it out for a part whose start cannot fail. */
  createFailing?(): Promise<LifecycleSubject & { repair(): Promise<void> | void }>;
}

const deadlineMs = 5000;

/** The lifecycle test that every part of every package passes. */
export function describeLifecycle({ name, create, createFailing }: LifecycleContractOptions): void {
  describe(`lifecycle of ${name}`, () => {
    it("stops without having been started", async () => {
      await using subject = disposable(await create());
      await subject.part.stop(deadlineMs);
    });

    it("stops twice, also at the same time", async () => {
      await using subject = disposable(await create());
      await subject.part.start();
      await Promise.all([subject.part.stop(deadlineMs), subject.part.stop(deadlineMs)]);
      await subject.part.stop(deadlineMs);
    });

    it("leaves no timer, socket or thread", async () => {
      const before = activeResources();
      {
        await using subject = disposable(await create());
        await subject.part.start();
        await subject.part.stop(deadlineMs);
      }
      expect(await leftOver(before)).toEqual([]);
    });

    if (createFailing) {
      it("leaves nothing after a failed start, and starts once the reason is gone", async () => {
        const before = activeResources();
        {
          await using subject = disposable(await createFailing());
          await expect(subject.part.start()).rejects.toThrow();
          await subject.repair();
          await subject.part.start();
          await subject.part.stop(deadlineMs);
        }
        expect(await leftOver(before)).toEqual([]);
      });
    }
  });
}

function disposable<T extends LifecycleSubject>(subject: T): T & AsyncDisposable {
  return Object.assign(subject, {
    [Symbol.asyncDispose]: async () => {
      await subject.part.stop(deadlineMs);
      await subject.cleanUp?.();
    },
  });
}

/** How many resources of each kind keep this process busy: sockets, servers, timers, threads, watchers. */
export function activeResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** The kinds of which there are still more than `before`, after waiting up to five seconds for them to go. */
export async function leftOver(before: ReadonlyMap<string, number>): Promise<string[]> {
  let kinds: string[] = [];
  for (let round = 0; round < 100; round++) {
    kinds = [...activeResources()]
      .filter(([kind, count]) => count > (before.get(kind) ?? 0))
      .map(([kind]) => kind);
    if (kinds.length === 0) break;
    await sleep(50);
  }
  return kinds;
}

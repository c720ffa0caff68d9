import { setTimeout } from "node:timers/promises";

/** Waits until `check` is true; rejects after `deadlineMs`. For hooks, where Vitest has no polling. */
export async function until(
  what: string,
  check: () => Promise<boolean>,
  deadlineMs: number = 20_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await setTimeout(20);
  }
}

/** True when a GET of this address gives one of these statuses; false while nothing answers. */
export async function answers(url: string, ...statuses: readonly number[]): Promise<boolean> {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(5000) });
    await response.body?.cancel();
    return statuses.includes(response.status);
  } catch {
    return false;
  }
}

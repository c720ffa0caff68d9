/** What one job says of itself. Live is not among it: a process that answers is live. */
export interface JobHealth {
  readonly job: string;
  /** Why the job cannot serve yet; undefined when it can. */
  unready(): string | undefined;
  /** When each of its copies was last known to be the newest; undefined in the list: never. */
  checked(): readonly { readonly name: string; readonly at: Date | undefined }[];
}

export interface HealthAnswer {
  readonly ok: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Ready: every job (or the one asked for) can serve. Undefined when there is no such job. */
export function isReady(jobs: readonly JobHealth[], job: string | undefined): HealthAnswer | undefined {
  const asked = job === undefined ? jobs : jobs.filter((one) => one.job === job);
  if (job !== undefined && asked.length === 0) return undefined;
  const reasons = asked.flatMap((one) => {
    const reason = one.unready();
    return reason === undefined ? [] : [[one.job, reason] as const];
  });
  const ok = reasons.length === 0;
  return { ok, body: ok ? { ready: true } : { ready: false, reasons: Object.fromEntries(reasons) } };
}

/** Fresh: every copy was confirmed within `maxMs`. */
export function isFresh(jobs: readonly JobHealth[], maxMs: number, now: number): HealthAnswer {
  const stale: Record<string, string> = {};
  for (const { name, at } of jobs.flatMap((job) => job.checked())) {
    if (at === undefined) stale[name] = "never checked";
    else if (now - at.getTime() > maxMs)
      stale[name] = `checked ${Math.round((now - at.getTime()) / 1000)} s ago`;
  }
  const ok = Object.keys(stale).length === 0;
  return { ok, body: ok ? { fresh: true } : { fresh: false, stale } };
}

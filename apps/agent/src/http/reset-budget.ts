/** How many streams of one connection may be cut short: so many a second in the long run, 20 times as many at once. */
export interface ResetBudget {
  /** False when there was nothing left to spend. `now` in ms. */
  spend(now: number): boolean;
}

export function createResetBudget(perSecond: number): ResetBudget {
  const most = perSecond * 20;
  let left = most;
  let since = 0;
  return {
    spend(now) {
      left = Math.min(most, left + ((now - since) * perSecond) / 1000);
      since = now;
      left -= 1;
      return left >= 0;
    },
  };
}

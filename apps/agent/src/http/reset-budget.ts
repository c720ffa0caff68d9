/** How many streams of one connection may be cut short: 200 at once, and 10 a second in the long run. */
export interface ResetBudget {
  /** False when there was nothing left to spend. `now` in ms. */
  spend(now: number): boolean;
}

const most = 200;
const perMs = 10 / 1000;

export function createResetBudget(): ResetBudget {
  let left = most;
  let since = 0;
  return {
    spend(now) {
      left = Math.min(most, left + (now - since) * perMs);
      since = now;
      left -= 1;
      return left >= 0;
    },
  };
}

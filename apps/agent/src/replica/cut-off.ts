import type { RuleSet, RuleSetCounters } from "@posthouse/rules";

/** Adds up what RuleSets count, each of which may begin at zero. */
export interface CutOff {
  readonly total: RuleSetCounters;
  /** Another RuleSet is counted from now on. */
  turnTo(ruleSet: RuleSet): void;
}

export function createCutOff(): CutOff {
  const none: RuleSetCounters = { uriTooLong: 0, regexTimeouts: 0, targetsRefused: 0 };
  let before = none;
  let current: Readonly<RuleSetCounters> = none;

  const add = (): RuleSetCounters => ({
    uriTooLong: before.uriTooLong + current.uriTooLong,
    regexTimeouts: before.regexTimeouts + current.regexTimeouts,
    targetsRefused: before.targetsRefused + current.targetsRefused,
  });

  return {
    get total() {
      return add();
    },
    turnTo({ counters }) {
      if (counters === current) return;
      before = add();
      current = counters;
    },
  };
}

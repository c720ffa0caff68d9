import type { Item } from "@posthouse/protocol";
import { rulesErrors } from "./errors.ts";
import type { RuleSet, RuleSetBuilder, RuleSetOptions } from "./rule-set.ts";
import { createRuleSet, stateOf } from "./rule-set-matcher.ts";
import {
  createState,
  deleteFromState,
  putIntoState,
  type RuleSetState,
  shareState,
} from "./rule-set-state.ts";

/**
 * Makes a builder. With `base` its items are there already; `base` stays as it is and shares what does not change.
 * `base` must have been made with the same options (RULE_SET_FOREIGN).
 */
export function createRuleSetBuilder(options: RuleSetOptions = {}, base?: RuleSet): RuleSetBuilder {
  const from = base === undefined ? createState(options) : stateOf(base);
  if (from === undefined || from.compat !== options.compat) throw rulesErrors.create("RULE_SET_FOREIGN");
  let owner = {};
  let shared = from;
  let own: RuleSetState | undefined = base === undefined ? from : undefined;

  function changing(): RuleSetState {
    if (own === undefined) {
      owner = {};
      own = shareState(shared);
    }
    return own;
  }

  return {
    put: (item) => putIntoState(changing(), item, owner),
    delete: (id) => deleteFromState(changing(), id, owner),
    build() {
      shared = own ?? shared;
      own = undefined;
      return createRuleSet(shared);
    },
  };
}

/** Compiles items in one go. */
export function compileRules(items: Iterable<Item>, options: RuleSetOptions = {}): RuleSet {
  const builder = createRuleSetBuilder(options);
  for (const item of items) builder.put(item);
  return builder.build();
}

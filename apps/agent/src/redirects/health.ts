import type { RuleSet } from "@posthouse/rules";
import type { JobHealth } from "../core/health.ts";

interface Copy {
  readonly project: string;
  readonly ruleSet: RuleSet | undefined;
  readonly status: { readonly checkedAt: Date | undefined };
}

/** The redirects job can serve when each of its projects has rules, from disk, from its file or from the Manager. */
export function createRedirectsHealth(copies: readonly Copy[]): JobHealth {
  return {
    job: "redirects",
    unready() {
      const waiting = copies.filter(({ ruleSet }) => ruleSet === undefined).map(({ project }) => project);
      return waiting.length === 0 ? undefined : `no rules yet: ${waiting.join(", ")}`;
    },
    checked: () => copies.map(({ project, status }) => ({ name: project, at: status.checkedAt })),
  };
}

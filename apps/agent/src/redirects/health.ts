import type { ClientStatus } from "@posthouse/client";
import type { RuleSet } from "@posthouse/rules";
import type { JobHealth } from "../core/health.ts";

interface Copy {
  readonly project: string;
  readonly ruleSet: RuleSet | undefined;
  readonly status: ClientStatus;
}

/** The redirects job can serve when each of its projects has rules, from disk or from the Manager. */
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

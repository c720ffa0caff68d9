import { type Explanation, explainInSteps, type Match, type RuleSet } from "@posthouse/rules";
import { createSlices } from "../core/slices.ts";

/** What the rules of a project say to a request, short enough for a header. Reads every rule, in slices. */
export async function explainRequest(
  ruleSet: RuleSet,
  host: string,
  uri: string,
): Promise<{ readonly answer: object | null; readonly near: readonly object[] }> {
  const { match, near } = await inSlices(explainInSteps(ruleSet, { host, uri }));
  return {
    answer: match === undefined ? null : describeMatch(match),
    near: near.map(({ item, reasons }) => ({
      id: item.id,
      type: item.type,
      source: item.kind === "redirect" ? item.source : item.path,
      reasons,
    })),
  };
}

async function inSlices(steps: Generator<undefined, Explanation, undefined>): Promise<Explanation> {
  const slices = createSlices();
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (slices.isDue()) await slices.pause();
  }
}

function describeMatch(match: Match): object {
  const { kind, status, item } = match;
  const { id, type } = item;
  return match.kind === "redirect"
    ? { kind, id, type, source: match.item.source, target: match.target, status }
    : { kind, id, type, path: match.item.path, status };
}

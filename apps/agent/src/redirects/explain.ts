import { explain, type Match, type RuleSet } from "@posthouse/rules";

/** What the rules of a project say to a request, short enough for a header. */
export function explainRequest(
  ruleSet: RuleSet,
  host: string,
  uri: string,
): { readonly answer: object | null; readonly near: readonly object[] } {
  const { match, near } = explain(ruleSet, { host, uri });
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

function describeMatch(match: Match): object {
  const { kind, status, item } = match;
  const { id, type } = item;
  return match.kind === "redirect"
    ? { kind, id, type, source: match.item.source, target: match.target, status }
    : { kind, id, type, path: match.item.path, status };
}

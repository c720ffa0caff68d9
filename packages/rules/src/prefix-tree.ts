import { compareRules, type RegexRule } from "./regex-rule.ts";

/** Rules by the text that a request must begin with; a node that another owner made is copied before it is changed. */
export interface PrefixNode {
  readonly owner: object;
  readonly label: string;
  /** In the order of `compareRules`. */
  readonly rules: RegexRule[];
  /** The first unit of each child's label, and the children in the same order: few, so looked through one by one. */
  readonly units: number[];
  readonly children: PrefixNode[];
}

export function createPrefixTree(owner: object): PrefixNode {
  return { owner, label: "", rules: [], units: [], children: [] };
}

/** Puts a rule in; gives the new root. */
export function insertRule(root: PrefixNode, rule: RegexRule, owner: object): PrefixNode {
  return insertAt(root, rule, 0, owner);
}

function insertAt(shared: PrefixNode, rule: RegexRule, at: number, owner: object): PrefixNode {
  const node = ownNode(shared, owner);
  if (at === rule.prefix.length) {
    const last = node.rules.at(-1);
    if (last === undefined || compareRules(last, rule) < 0) node.rules.push(rule);
    else node.rules.splice(findRule(node.rules, rule), 0, rule);
    return node;
  }
  const unit = rule.prefix.charCodeAt(at);
  const child = findChild(node, unit);
  if (child === undefined) {
    setChild(node, unit, { owner, label: rule.prefix.slice(at), rules: [rule], units: [], children: [] });
    return node;
  }
  const same = commonLength(child.label, rule.prefix, at);
  if (same === child.label.length) {
    setChild(node, unit, insertAt(child, rule, at + same, owner));
    return node;
  }
  const rest: PrefixNode = { ...child, label: child.label.slice(same) };
  const label = child.label.slice(0, same);
  const fork: PrefixNode = { owner, label, rules: [], units: [rest.label.charCodeAt(0)], children: [rest] };
  setChild(node, unit, insertAt(fork, rule, at + same, owner));
  return node;
}

/** Takes a rule out by its id; gives the new root. */
export function removeRule(root: PrefixNode, rule: RegexRule, owner: object): PrefixNode {
  return removeAt(root, rule, 0, owner);
}

function removeAt(shared: PrefixNode, rule: RegexRule, at: number, owner: object): PrefixNode {
  const node = ownNode(shared, owner);
  if (at === rule.prefix.length) {
    const index = findRule(node.rules, rule);
    if (node.rules[index]?.id === rule.id) node.rules.splice(index, 1);
    return node;
  }
  const unit = rule.prefix.charCodeAt(at);
  const child = findChild(node, unit);
  if (child === undefined || !rule.prefix.startsWith(child.label, at)) return node;
  const rest = removeAt(child, rule, at + child.label.length, owner);
  setChild(node, unit, rest.rules.length === 0 && rest.children.length === 0 ? undefined : rest);
  return node;
}

/** The rule lists whose prefix the text begins with, the shortest prefix first. */
export function findRules(root: PrefixNode, text: string): RegexRule[][] {
  const found: RegexRule[][] = [];
  let node: PrefixNode | undefined = root;
  let at = 0;
  while (node !== undefined) {
    if (node.rules.length > 0) found.push(node.rules);
    node = at < text.length ? findChild(node, text.charCodeAt(at)) : undefined;
    if (node === undefined || !text.startsWith(node.label, at)) break;
    at += node.label.length;
  }
  return found;
}

function ownNode(node: PrefixNode, owner: object): PrefixNode {
  if (node.owner === owner) return node;
  const { label, rules, units, children } = node;
  return { owner, label, rules: [...rules], units: [...units], children: [...children] };
}

function findChild({ units, children }: PrefixNode, unit: number): PrefixNode | undefined {
  for (let index = 0; index < units.length; index++) if (units[index] === unit) return children[index];
  return undefined;
}

function setChild({ units, children }: PrefixNode, unit: number, child: PrefixNode | undefined): void {
  const index = units.indexOf(unit);
  if (child !== undefined) {
    units[index < 0 ? units.length : index] = unit;
    children[index < 0 ? children.length : index] = child;
  } else if (index >= 0) {
    units.splice(index, 1);
    children.splice(index, 1);
  }
}

function commonLength(label: string, prefix: string, at: number): number {
  let same = 0;
  while (same < label.length && label.charCodeAt(same) === prefix.charCodeAt(at + same)) same += 1;
  return same;
}

function findRule(rules: readonly RegexRule[], rule: RegexRule): number {
  let low = 0;
  let high = rules.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = rules[middle];
    if (other !== undefined && compareRules(other, rule) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

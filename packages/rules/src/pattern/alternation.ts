import { caseVariants } from "./case-folding.ts";
import { type CharSet, createCharSet } from "./char-set.ts";
import { createClass } from "./class-parser.ts";
import { emptyNode, isSameNode, isSingleCharacter, type PatternNode } from "./node.ts";

/** Joins nodes of a sequence: nested sequences are flattened. */
export function createConcat(nodes: readonly PatternNode[]): PatternNode {
  if (nodes.length === 0) return emptyNode;
  const flat = nodes.flatMap((node) => (node.op === "concat" ? node.subs : [node]));
  return flat.length === 1 ? (flat[0] ?? emptyNode) : { op: "concat", subs: flat };
}

/**
 * Joins alternatives as Go does, which shows in the prefixes it finds: neighbours of one character become a class,
 * then common beginnings are drawn out.
 */
export function createAlternate(branches: readonly PatternNode[]): PatternNode {
  const merged: PatternNode[] = [];
  for (const branch of branches) {
    const last = merged.at(-1);
    const both = last === undefined ? undefined : mergeCharacters(last, branch);
    if (both === undefined) merged.push(branch);
    else merged[merged.length - 1] = both;
  }
  const node = collapse(merged);
  return node.op === "class" && node.set !== undefined && !node.dot ? createClass(node.set) : node;
}

function collapse(branches: readonly PatternNode[]): PatternNode {
  const flat = branches.flatMap((node) => (node.op === "alternate" ? node.subs : [node]));
  const factored = flat.length < 2 ? flat : factor(flat);
  return factored.length === 1 ? (factored[0] ?? emptyNode) : { op: "alternate", subs: factored };
}

function factor(branches: readonly PatternNode[]): PatternNode[] {
  const byText = drawOut(branches, leadingText, commonText, dropText);
  const byNode = drawOut(byText, leadingNode, sameCharacter, dropNode);
  const characters: PatternNode[] = [];
  let joining = false;
  for (const node of byNode) {
    const last = characters.at(-1);
    const both = joining && last !== undefined ? mergeCharacters(last, node) : undefined;
    if (both !== undefined) characters[characters.length - 1] = both;
    else if (!(node.op === "empty" && last?.op === "empty")) characters.push(node);
    joining = isSingleCharacter(node);
  }
  return characters;
}

/** Replaces every run of two or more branches with a common beginning by that beginning and what follows it. */
function drawOut<Lead>(
  branches: readonly PatternNode[],
  leadOf: (node: PatternNode) => Lead | undefined,
  common: (left: Lead, right: Lead) => Lead | undefined,
  drop: (node: PatternNode, lead: Lead) => PatternNode,
): PatternNode[] {
  const result: PatternNode[] = [];
  let run: PatternNode[] = [];
  let lead: Lead | undefined;
  const close = (): void => {
    const [only] = run;
    if (run.length === 1 && only !== undefined) result.push(only);
    else if (run.length > 1 && lead !== undefined) {
      const shared = lead;
      const rest = collapse(run.map((node) => drop(node, shared)));
      result.push({ op: "concat", subs: [toNode(shared), rest] });
    }
    run = [];
  };
  for (const branch of branches) {
    const next = leadOf(branch);
    const shared =
      run.length > 0 && lead !== undefined && next !== undefined ? common(lead, next) : undefined;
    if (shared === undefined) {
      close();
      lead = next;
    } else lead = shared;
    run.push(branch);
  }
  close();
  return result;
}

type Lead = PatternNode;
const toNode = (lead: unknown): PatternNode => lead as PatternNode;

function leadingText(node: PatternNode): Lead | undefined {
  const first = node.op === "concat" ? node.subs[0] : node;
  return first?.op === "literal" ? first : undefined;
}

function commonText(left: Lead, right: Lead): Lead | undefined {
  if (left.op !== "literal" || right.op !== "literal" || left.fold !== right.fold) return undefined;
  let same = 0;
  while (same < left.points.length && left.points[same] === right.points[same]) same += 1;
  return same === 0 ? undefined : { ...left, points: left.points.slice(0, same) };
}

function dropText(node: PatternNode, lead: Lead): PatternNode {
  const size = lead.op === "literal" ? lead.points.length : 0;
  if (node.op === "literal") {
    return node.points.length === size ? emptyNode : { ...node, points: node.points.slice(size) };
  }
  if (node.op !== "concat") return node;
  const [first = emptyNode, ...rest] = node.subs;
  const cut = dropText(first, lead);
  return createRest(cut.op === "empty" ? rest : [cut, ...rest]);
}

function leadingNode(node: PatternNode): Lead | undefined {
  const first = node.op === "concat" ? node.subs[0] : node;
  return first === undefined || first.op === "empty" ? undefined : first;
}

function sameCharacter(left: Lead, right: Lead): Lead | undefined {
  const fixed = left.op === "repeat" && left.min === left.max && isSingleCharacter(left.sub);
  return (isSingleCharacter(left) || fixed) && isSameNode(left, right) ? left : undefined;
}

function dropNode(node: PatternNode): PatternNode {
  return node.op === "concat" ? createRest(node.subs.slice(1)) : emptyNode;
}

function createRest(nodes: readonly PatternNode[]): PatternNode {
  return nodes.length > 1 ? { op: "concat", subs: nodes } : (nodes[0] ?? emptyNode);
}

function mergeCharacters(left: PatternNode, right: PatternNode): PatternNode | undefined {
  if (!isSingleCharacter(left) || !isSingleCharacter(right)) return undefined;
  if (isSameNode(left, right)) return left;
  const sets = [charactersOf(left), charactersOf(right)];
  const [one, two] = sets;
  if (one === undefined || two === undefined) {
    const key = `(${JSON.stringify(left)}|${JSON.stringify(right)})`;
    return { op: "class", set: undefined, dot: false, key };
  }
  return { op: "class", set: createCharSet([...one, ...two]), dot: false, key: "" };
}

function charactersOf(node: PatternNode): CharSet | undefined {
  if (node.op === "class") return node.set;
  if (node.op !== "literal") return undefined;
  const [point = 0] = node.points;
  const points = node.fold ? caseVariants(point) : [point];
  return createCharSet(points.flatMap((variant) => [variant, variant]));
}

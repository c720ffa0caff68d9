/** The paths that a pattern may stand for, a little too many at most. `undefined` is any one segment. */
export interface PathShape {
  readonly segments: readonly (string | undefined)[];
  /** Whether anything may follow the segments. */
  readonly isOpen: boolean;
}

/** Shapes, each with a number; tells the greatest number among those that some path has in common with a shape. */
export interface PathTrie {
  add(shape: PathShape, value: number): void;
  /** 0 when none does. */
  greatest(shape: PathShape): number;
}

interface TrieNode {
  readonly named: Map<string, TrieNode>;
  any: TrieNode | undefined;
  /** Shapes that end here. */
  ended: number;
  open: number;
  /** Shapes that end here or below. */
  all: number;
}

export function createPathTrie(): PathTrie {
  const root = createNode();
  return {
    add({ segments, isOpen }, value) {
      let node = root;
      node.all = Math.max(node.all, value);
      for (const segment of segments) {
        node = childFor(node, segment);
        node.all = Math.max(node.all, value);
      }
      if (isOpen) node.open = Math.max(node.open, value);
      else node.ended = Math.max(node.ended, value);
    },
    greatest: (shape) => visit(root, shape, 0),
  };
}

function createNode(): TrieNode {
  return { named: new Map(), any: undefined, ended: 0, open: 0, all: 0 };
}

function childFor(node: TrieNode, segment: string | undefined): TrieNode {
  if (segment === undefined) {
    node.any ??= createNode();
    return node.any;
  }
  const known = node.named.get(segment) ?? createNode();
  node.named.set(segment, known);
  return known;
}

function visit(node: TrieNode | undefined, shape: PathShape, depth: number): number {
  if (node === undefined) return 0;
  const { segments, isOpen } = shape;
  if (depth === segments.length) return isOpen ? node.all : Math.max(node.ended, node.open);
  const segment = segments[depth];
  const next =
    segment === undefined ? [...node.named.values(), node.any] : [node.named.get(segment), node.any];
  return next.reduce((most, child) => Math.max(most, visit(child, shape, depth + 1)), node.open);
}

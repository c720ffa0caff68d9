/** Which list of which version a walk by offsets goes through. */
export interface Walk {
  readonly projectId: number;
  readonly version: number;
  readonly kind: string;
}

/**
 * Where walks by offset stand, so that the next page of one is found by its id: to count 150,000 rows off for each
 * hundred would make other agents wait.
 */
export interface WalkPositions {
  /** The id after which the row with this offset comes, where a page that ended there was read. */
  find(walk: Walk, offset: number): number | undefined;
  note(walk: Walk, offset: number, id: number): void;
}

const maxPositions = 20_000;

export function createWalkPositions(): WalkPositions {
  const ids = new Map<string, number>();
  const keyOf = ({ projectId, version, kind }: Walk, offset: number): string =>
    `${projectId} ${version} ${kind} ${offset}`;
  return {
    find: (walk, offset) => ids.get(keyOf(walk, offset)),
    note(walk, offset, id) {
      const [oldest] = ids.keys();
      if (ids.size >= maxPositions && oldest !== undefined) ids.delete(oldest);
      ids.set(keyOf(walk, offset), id);
    },
  };
}

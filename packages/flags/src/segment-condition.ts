import type { CompileContext } from "./context.ts";
import type { WireCondition } from "./schema.ts";
import type { SegmentIndex } from "./segment.ts";
import { parseStringList } from "./string-list.ts";
import type { FlagUser } from "./user.ts";

/** Tells whether a condition of a flag's rule holds. */
export type FlagCondition = (user: FlagUser, segments: SegmentIndex) => boolean;

const inSegment = "User is in segment";
const notInSegment = "User is not in segment";

/** A condition on segments, with the ids it names and where. */
export interface SegmentCondition {
  readonly holds: FlagCondition;
  readonly segmentIds: readonly string[];
}

export function isSegmentCondition({ property }: WireCondition): boolean {
  return property === inSegment || property === notInSegment;
}

/**
 * Compiles a condition on segments (4.4): in any of those listed, or in none. A missing segment has nobody; but whether
 * a user is outside of it cannot be told, so that "is not in" is false.
 */
export function compileSegmentCondition(
  { property, value }: WireCondition,
  path: string,
  { report }: CompileContext,
): SegmentCondition | undefined {
  const list = value === null || value === undefined ? undefined : parseStringList(value);
  if (list === undefined) {
    report("LIST_INVALID", `${path}.value`);
    return undefined;
  }
  const segmentIds = list ?? [];
  const holds: FlagCondition =
    property === inSegment
      ? (user, segments) => {
          for (const id of segmentIds) if (segments.get(id)?.has(user) === true) return true;
          return false;
        }
      : (user, segments) => {
          for (const id of segmentIds) if (segments.get(id)?.has(user) !== false) return false;
          return true;
        };
  return { holds, segmentIds };
}

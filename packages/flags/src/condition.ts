import type { CompileContext } from "./context.ts";
import { parseDouble } from "./number.ts";
import { compileDotnetPattern, PatternProblem } from "./pattern/dotnet-pattern.ts";
import { conditionSchema, describeFailure, type WireCondition } from "./schema.ts";
import { parseStringList } from "./string-list.ts";
import { endsWithCanonical, startsWithCanonical } from "./text.ts";
import { createPropertyReader, type FlagUser } from "./user.ts";

/** Tells whether a condition on the user's properties holds. */
export type UserCondition = (user: FlagUser) => boolean;

type TextTest = (value: string) => boolean;

/** Reads the shape of a condition; undefined when it is broken, which is reported. */
export function parseCondition(
  input: unknown,
  path: string,
  { report }: CompileContext,
): WireCondition | undefined {
  const result = conditionSchema.safeParse(input);
  if (result.success) return result.data;
  const failure = describeFailure(path, result.error);
  report("CONDITION_INVALID", failure.path, { reason: failure.reason });
  return undefined;
}

/** Compiles one condition (4.3). Undefined when it is false for everybody. */
export function compileCondition(
  { property, op, value }: WireCondition,
  path: string,
  context: CompileContext,
): UserCondition | undefined {
  if (value === null || value === undefined) return undefined;
  const test = compileTest(op, value, `${path}.value`, context);
  if (test === undefined) return undefined;
  const read = createPropertyReader(property);
  return (user) => {
    const text = read(user);
    return text !== null && test(text);
  };
}

function compileTest(
  op: string | null | undefined,
  value: string,
  path: string,
  context: CompileContext,
): TextTest | undefined {
  switch (op) {
    case "LessThan":
      return compareNumbers(value, (left, right) => left < right);
    case "LessEqualThan":
      return compareNumbers(value, (left, right) => left <= right);
    case "BiggerThan":
      return compareNumbers(value, (left, right) => left > right);
    case "BiggerEqualThan":
      return compareNumbers(value, (left, right) => left >= right);
    case "Equal":
      return (text) => text === value;
    case "NotEqual":
      return (text) => text !== value;
    case "Contains":
      return (text) => text.includes(value);
    case "NotContain":
      return (text) => !text.includes(value);
    case "StartsWith":
      return (text) => startsWithCanonical(text, value);
    case "EndsWith":
      return (text) => endsWithCanonical(text, value);
    case "MatchRegex":
      return compileMatch(value, path, true, context);
    case "NotMatchRegex":
      return compileMatch(value, path, false, context);
    case "IsOneOf":
      return compileMembership(value, path, true, context);
    case "NotOneOf":
      return compileMembership(value, path, false, context);
    case "IsTrue":
      return (text) => /^true$/i.test(text);
    case "IsFalse":
      return (text) => /^false$/i.test(text);
    default:
      context.report("OPERATOR_UNKNOWN", path.replace(/value$/, "op"), { operator: String(op ?? null) });
      return undefined;
  }
}

function compareNumbers(
  value: string,
  compare: (left: number, right: number) => boolean,
): TextTest | undefined {
  const right = parseDouble(value);
  return Number.isNaN(right) ? undefined : (text) => compare(parseDouble(text), right);
}

function compileMembership(
  value: string,
  path: string,
  wanted: boolean,
  { report }: CompileContext,
): TextTest | undefined {
  const list = parseStringList(value);
  if (list === undefined) {
    report("LIST_INVALID", path);
    return undefined;
  }
  const members = new Set(list);
  return (text) => members.has(text) === wanted;
}

function compileMatch(
  value: string,
  path: string,
  wanted: boolean,
  { report, counters }: CompileContext,
): TextTest | undefined {
  try {
    const matches = compileDotnetPattern(value, counters);
    return (text) => matches(text) === wanted;
  } catch (error) {
    if (!(error instanceof PatternProblem)) throw error;
    report(error.code, path, { reason: error.message, position: error.position });
    return undefined;
  }
}

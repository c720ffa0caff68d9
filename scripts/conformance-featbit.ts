/**
 * The one runner of FeatBit's cases, for `npm run conformance` and for `npm test`. It knows kinds, never a case:
 *   cases    a flag evaluated for a user (conformance-featbit/evaluation.ts)
 *   hashes   where a key stands in a rollout
 *   tokens   connection tokens taken apart (conformance-featbit/token.ts)
 */
import { rolloutOf } from "@posthouse/flags";
import { checkEvaluation } from "./conformance-featbit/evaluation.ts";
import { checkToken } from "./conformance-featbit/token.ts";
import { type FeatBitVectors, type HashVector, vectorsSchema } from "./conformance-featbit/vector.ts";
import { ConformanceFileError, type ConformanceSuite } from "./conformance-suite.ts";

const kinds: readonly string[] = ["meta", "hashes", "tokens", "cases"];

/** FeatBit's evaluation, rollout hash and connection tokens. */
export const featbit: ConformanceSuite = {
  description: "FeatBit's flags: what a user gets, the rollout hash, connection tokens",
  async run(file) {
    const vectors = parse(file);
    const { hashes, tokens, cases } = vectors;
    const failures: { name: string; message: string }[] = [];
    const attempt = (name: string, check: () => string | undefined): void => {
      let message: string | undefined;
      try {
        message = check();
      } catch (error) {
        message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      }
      if (message !== undefined) failures.push({ name, message });
    };
    for (const vector of cases) attempt(`${vector.id} ${vector.title}`, () => checkEvaluation(vector));
    for (const vector of hashes) attempt(`hash of "${vector.key}"`, () => checkHash(vector));
    for (const vector of tokens) attempt(`token "${vector.token}"`, () => checkToken(vector));
    const total = cases.length + hashes.length + tokens.length;
    return { passed: total - failures.length, failures, leftOut: countOthers(vectors) };
  },
};

function checkHash({ key, rollout }: HashVector): string | undefined {
  const found = rolloutOf(key);
  return found === rollout ? undefined : `expected ${rollout}, found ${found}`;
}

/** Cases of kinds that the runner does not know. */
function countOthers(vectors: FeatBitVectors): number {
  return Object.entries(vectors)
    .filter(([kind]) => !kinds.includes(kind))
    .reduce((sum, [, value]) => sum + (Array.isArray(value) ? value.length : 1), 0);
}

function parse(file: unknown): FeatBitVectors {
  const result = vectorsSchema.safeParse(file);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join(".") || "the top";
  throw new ConformanceFileError(`no cases of FeatBit: ${issue?.message} at ${where}`);
}

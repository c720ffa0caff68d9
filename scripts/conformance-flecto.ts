/**
 * The one runner of Flecto's cases, for `npm run conformance` and for `npm test`. It knows levels, never a case:
 *   match.ts     what the matcher finds, twice: with `compat: flecto` and without
 *   agent.ts     what an agent answers over a socket, configured by `posthouse convert flecto`
 *   command.ts   what the command `posthouse convert flecto` refuses
 */
import * as z from "zod";
import { checkHostSelection, checkHttp } from "./conformance-flecto/agent.ts";
import { checkRefusal } from "./conformance-flecto/command.ts";
import { checkMatch } from "./conformance-flecto/match.ts";
import { type Vector, vectorSchema } from "./conformance-flecto/vector.ts";
import { ConformanceFileError, type ConformanceSuite } from "./conformance-suite.ts";

/** What is wrong, or undefined. */
type Check = (vector: Vector) => string | undefined | Promise<string | undefined>;

const checks: Readonly<Record<Vector["level"], Check>> = {
  match: checkMatch,
  http: checkHttp,
  host_select: checkHostSelection,
  middleware_config: checkRefusal,
};
const atOnce = 4;

/** Flecto's matcher, answers and middleware. */
export const flecto: ConformanceSuite = {
  description: "Flecto's redirects and pages: which rule answers, what is sent, which project a host gets",
  async run(file) {
    const vectors = parse(file);
    const failures: { name: string; message: string }[] = [];
    const queue = vectors.values();
    const work = async (): Promise<void> => {
      for (const vector of queue) {
        const message = await attempt(vector);
        if (message !== undefined) failures.push({ name: vector.name, message });
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return { passed: vectors.length - failures.length, failures };
  },
};

/** A case that ends in an exception has failed, and the others go on. */
async function attempt(vector: Vector): Promise<string | undefined> {
  try {
    return await checks[vector.level](vector);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

function parse(file: unknown): Vector[] {
  const result = z.array(vectorSchema).safeParse(file);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join(".") || "the top";
  throw new ConformanceFileError(`no cases of Flecto: ${issue?.message} at ${where}`);
}

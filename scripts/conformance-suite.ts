/** A suite of `npm run conformance`: runs the cases of a vector file through the public functions of the packages. */
export interface ConformanceSuite {
  readonly description: string;
  /** Throws ConformanceFileError when the file does not hold this suite's cases. */
  run(file: unknown): SuiteResult;
}

export interface SuiteResult {
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly message: string }[];
  /** Cases that nothing runs yet, by the reason. */
  readonly notRun: ReadonlyMap<string, number>;
}

export class ConformanceFileError extends Error {
  override readonly name = "ConformanceFileError";
}

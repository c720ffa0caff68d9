/** A suite of `npm run conformance`: runs the cases of a vector file through what the project really offers. */
export interface ConformanceSuite {
  readonly description: string;
  /** Throws ConformanceFileError when the file does not hold this suite's cases. */
  run(file: unknown): Promise<SuiteResult>;
}

/** Every case is in one of the three. */
export interface SuiteResult {
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly message: string }[];
  /** Cases of a kind that the suite does not run; absent where it refuses a file that has any. */
  readonly leftOut?: number;
}

export class ConformanceFileError extends Error {
  override readonly name = "ConformanceFileError";
}

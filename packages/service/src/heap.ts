import { setFlagsFromString } from "node:v8";

/**
 * Lets the old generation grow by half between two collections, where V8 by itself lets it grow up to fourfold. A whole
 * project that is swapped leaves its predecessor as garbage; collected earlier, it costs less memory and no longer pause.
 */
export function boundHeapGrowth(): void {
  setFlagsFromString("--heap-growing-percent=50");
}

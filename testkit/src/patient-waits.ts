/** Before each test file: what is waited for may take long on a busy machine. Vitest's own second is a timing assertion. */
import { vi } from "vitest";

const { waitFor } = vi;
vi.waitFor = (callback, options = 20_000) => waitFor(callback, options);

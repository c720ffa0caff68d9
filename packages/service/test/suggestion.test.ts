/** What was probably meant by a word that is not known. */
import { expect, it } from "vitest";
import { suggest } from "../src/index.ts";

const keys = [
  ...[
    "prefetch_count",
    "batch_max_size_in_mb",
    "batch_max_number_of_messages",
    "batch_max_window_in_seconds",
  ],
  ...["exchange", "queue", "quorum", "org_name", "app_name", "api_url", "spool_size"],
];

it.each([
  ["exchnge", "exchange"],
  ["PREFETCHCOUNT", "prefetch_count"],
  ["prefetch", "prefetch_count"],
  ["prefech", "prefetch_count"],
  ["batch_max_size", "batch_max_size_in_mb"],
  ["batch_window", "batch_max_window_in_seconds"],
  ["spool", "spool_size"],
  // Short for several, for none, or too short to tell.
  ["batch_max", undefined],
  ["timeout", undefined],
  ["x", undefined],
  ["b", undefined],
])("by %s: %s", (word, meant) => {
  expect(suggest(word, keys)).toBe(meant);
});

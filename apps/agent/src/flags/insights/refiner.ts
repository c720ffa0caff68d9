import { rolloutOf } from "@posthouse/flags";
import type { InsightsConfig } from "../../config/insights.ts";
import { createAnonymiser } from "./anonymiser.ts";
import { fieldOf } from "./any-case.ts";

/** Why an event is not taken. */
export type RefinerDrop = "invalid" | "sampled" | "flag_off";

/** What of an event is taken, as JSON. */
export type Refiner = (event: unknown) => { readonly json: string } | RefinerDrop;

/**
 * Makes what decides on one event of a user (6), before anything of it is written down: whether the user is in the
 * sample, which flags count, and what may be known of the user. FeatBit passes over events without a user; so do we.
 */
export function createRefiner(config: InsightsConfig): Refiner {
  const { sample, anonymise } = config;
  const skipped = new Set(config.skip_flags);
  const anonymiser = anonymise && createAnonymiser(anonymise);
  const isSkipped = (variation: unknown): boolean => {
    const key = fieldOf(variation, "featureFlagKey");
    return typeof key === "string" && skipped.has(key);
  };

  return (event) => {
    if (typeof event !== "object" || event === null) return "invalid";
    const user = fieldOf(event, "user");
    const keyId = fieldOf(user, "keyId");
    if (typeof user !== "object" || user === null || typeof keyId !== "string" || keyId.trim() === "")
      return "invalid";
    if (sample < 1 && rolloutOf(`insights${keyId}`) >= sample) return "sampled";
    let taken: object = event;
    if (skipped.size > 0 || anonymiser !== undefined) {
      const [variations, metrics] = [listOf(event, "variations"), listOf(event, "metrics")];
      const kept = skipped.size === 0 ? variations : variations?.filter((each) => !isSkipped(each));
      if (variations !== undefined && variations.length > 0 && kept?.length === 0 && !metrics?.length)
        return "flag_off";
      taken = { user: anonymiser?.(user, keyId) ?? user, variations: kept, metrics };
    }
    try {
      return { json: JSON.stringify(taken) };
    } catch {
      return "invalid"; // nested too deep to be written
    }
  };
}

function listOf(event: object, name: string): unknown[] | undefined {
  const list = fieldOf(event, name);
  return Array.isArray(list) ? list : undefined;
}

/** Subscriptions as Leek has them: a JSON list, in an environment variable or in its `subscriptions.json`. */
import { isPosthouseError } from "@posthouse/protocol";
import { type LoadConfigOptions, parseJsonConfig } from "@posthouse/service";
import * as z from "zod";
import { type LeekSurroundings, mostSubscriptions } from "./events.ts";
import { nameOfRaw, type SubscriptionConfig, subscriptionSchema } from "./subscription.ts";
import { Clashes, findClashes } from "./subscription-clashes.ts";

/**
 * Reads a list. `from` is how problems name the text. Throws CONFIG_SYNTAX or CONFIG_INVALID with a line per problem,
 * each with the subscription, the key and the rule.
 */
export function parseLeekSubscriptions(
  text: string,
  from: string,
  surroundings: LeekSurroundings = {},
): readonly SubscriptionConfig[] {
  return parseJsonConfig(text, from, listSchema(surroundings), labelOf);
}

/** What of a list can run, and what is wrong with the rest: a line for each problem, with its place. */
export interface FoundSubscriptions {
  readonly subscriptions: readonly SubscriptionConfig[];
  readonly problems: readonly string[];
}

/** As `parseLeekSubscriptions`, each subscription by itself: one that is wrong takes no other with it. Never throws. */
export function findLeekSubscriptions(
  text: string,
  from: string,
  surroundings: LeekSurroundings = {},
): FoundSubscriptions {
  const entry = entrySchema(surroundings);
  const subscriptions: SubscriptionConfig[] = [];
  const clashes = new Clashes();
  const apart = z.array(z.unknown()).check(({ value, issues }) => {
    for (const [index, raw] of value.entries()) {
      const { data } = entry.safeParse(raw);
      if (data === undefined) continue;
      const clash = clashes.add(data);
      if (clash === undefined) subscriptions.push(data);
      else
        issues.push({
          code: "custom",
          input: value,
          path: [index, ...clash.path],
          message: clash.message,
        });
    }
  });
  const problems = [z.array(entry, notList), apart].flatMap((schema) => {
    try {
      parseJsonConfig(text, from, schema, labelOf);
      return [];
    } catch (error) {
      if (!isPosthouseError(error)) throw error;
      return error.message.split("\n");
    }
  });
  return { subscriptions, problems: [...new Set(problems)] };
}

/** Reads one subscription, such as it is given to the control API: in our own form, or in Leek's with `compat: leek`. */
export function parseSubscription(value: unknown): SubscriptionConfig {
  const name = nameOfRaw(value);
  return parseJsonConfig(JSON.stringify(value), undefined, subscriptionSchema, () => name);
}

/** What follows the end of the list in a damaged file; undefined when the text is no list with something behind it. */
export function splitDamagedList(text: string): { readonly list: string; readonly tail: string } | undefined {
  let depth = 0;
  let isText = false;
  const start = text.search(/\S/);
  if (text[start] !== "[") return undefined;
  for (let index = start; index < text.length; index++) {
    const character = text[index];
    if (isText) {
      if (character === "\\") index++;
      else if (character === '"') isText = false;
    } else if (character === '"') isText = true;
    else if (character === "[" || character === "{") depth++;
    else if ((character === "]" || character === "}") && --depth === 0) {
      const tail = text.slice(index + 1).trim();
      return tail === "" ? undefined : { list: text.slice(start, index + 1), tail };
    }
  }
  return undefined;
}

const notList = { error: "expected a JSON list of subscriptions: [{…}, {…}]" };

function entrySchema({ local, organisation }: LeekSurroundings): z.ZodType<SubscriptionConfig> {
  const prepare = (raw: unknown): unknown => {
    if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return raw;
    return {
      compat: "leek",
      ...raw,
      ...(local && { api_url: local.apiUrl, app_key: local.appKey.reveal() }),
      ...(organisation && { org_name: organisation }),
    };
  };
  return z.preprocess(prepare, subscriptionSchema);
}

function listSchema(surroundings: LeekSurroundings): z.ZodType<readonly SubscriptionConfig[]> {
  return z
    .array(entrySchema(surroundings), notList)
    .max(mostSubscriptions)
    .check(({ value, issues }) => {
      if (issues.length > 0) return;
      for (const { index, path, message } of findClashes(value))
        issues.push({ code: "custom", input: value, path: [index, ...path], message });
    });
}

const labelOf: LoadConfigOptions["label"] = ([index], value) => {
  const name = typeof index === "number" && Array.isArray(value) ? nameOfRaw(value[index]) : undefined;
  return name && `subscription ${name}`;
};

/** Subscriptions as Leek has them: a JSON list, in an environment variable or in its `subscriptions.json`. */
import { type LoadConfigOptions, parseJsonConfig } from "@posthouse/service";
import * as z from "zod";
import { type LeekSurroundings, mostSubscriptions, repeatedMessage } from "./events.ts";
import { nameOfRaw, repeatedNames, type SubscriptionConfig, subscriptionSchema } from "./subscription.ts";

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

function listSchema({ local, organisation }: LeekSurroundings): z.ZodType<readonly SubscriptionConfig[]> {
  const prepare = (raw: unknown): unknown => {
    if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return raw;
    return {
      compat: "leek",
      ...raw,
      ...(local && { api_url: local.apiUrl, app_key: local.appKey.reveal() }),
      ...(organisation && { org_name: organisation }),
    };
  };
  return z
    .array(z.preprocess(prepare, subscriptionSchema), {
      error: "expected a JSON list of subscriptions: [{…}, {…}]",
    })
    .max(mostSubscriptions)
    .check(({ value, issues }) => {
      if (issues.length > 0) return;
      for (const { index, name } of repeatedNames(value as readonly SubscriptionConfig[]))
        issues.push({ code: "custom", input: value, path: [index], message: repeatedMessage(name) });
    });
}

const labelOf: LoadConfigOptions["label"] = ([index], value) => {
  const name = typeof index === "number" && Array.isArray(value) ? nameOfRaw(value[index]) : undefined;
  return name && `subscription ${name}`;
};

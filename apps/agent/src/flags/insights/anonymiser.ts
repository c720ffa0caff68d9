import { createHmac } from "node:crypto";
import ipaddr from "ipaddr.js";
import type { AnonymiseConfig, Treatment } from "../../config/insights.ts";
import { fieldOf } from "./any-case.ts";

/** A user as FeatBit's evaluation server reads it. */
export interface InsightUser {
  readonly keyId: string;
  readonly name: string;
  readonly customizedProperties: readonly { readonly name: string; readonly value: string }[];
}

/**
 * Makes what turns a user into one that nobody recognises. The result holds the three known fields and nothing else,
 * whatever else the SDK sent. A removed name is empty: FeatBit stores users with a name.
 */
export function createAnonymiser(config: AnonymiseConfig): (user: object, keyId: string) => InsightUser {
  const key = config.hash_key?.reveal() ?? "";
  const hash = (text: string): string => createHmac("sha256", key).update(text).digest("base64url");
  const treat = (how: Treatment, text: string): string | undefined => {
    if (how === "remove") return undefined;
    if (how === "keep" || text === "") return text;
    return how === "hash" ? hash(text) : truncateAddress(text);
  };

  return (user, keyId) => {
    const name = fieldOf(user, "name");
    const properties: unknown = fieldOf(user, "customizedProperties");
    const customizedProperties = (Array.isArray(properties) ? (properties as unknown[]) : []).flatMap(
      (entry) => {
        const [property, value] = [fieldOf(entry, "name"), fieldOf(entry, "value")];
        if (typeof property !== "string" || typeof value !== "string") return [];
        const how = Object.hasOwn(config.attributes, property.toLowerCase())
          ? config.attributes[property.toLowerCase()]
          : undefined;
        const treated = treat(how ?? config.other_attributes, value);
        return treated === undefined ? [] : [{ name: property, value: treated }];
      },
    );
    return {
      keyId: config.key_id === "hash" ? hash(keyId) : keyId,
      name: (typeof name === "string" && treat(config.name, name)) || "",
      customizedProperties,
    };
  };
}

/** The network of an address, /24 or /48; undefined when the text is no address. */
export function truncateAddress(text: string): string | undefined {
  const trimmed = text.trim();
  if (ipaddr.IPv4.isValidFourPartDecimal(trimmed)) return networkOf(ipaddr.IPv4.parse(trimmed));
  if (!ipaddr.IPv6.isValid(trimmed)) return undefined;
  const address = ipaddr.IPv6.parse(trimmed);
  return networkOf(address.isIPv4MappedAddress() ? address.toIPv4Address() : address);
}

function networkOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  if (address instanceof ipaddr.IPv4) return [...address.octets.slice(0, 3), 0].join(".");
  return new ipaddr.IPv6([...address.parts.slice(0, 3), 0, 0, 0, 0, 0]).toString();
}

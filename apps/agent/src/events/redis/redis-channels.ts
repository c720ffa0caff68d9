import type { RedisAddress } from "../broker-address.ts";

/** The pattern of the channels to which kombu publishes what goes to this exchange with this routing key. */
export function channelPattern(address: RedisAddress, exchange: string, routingKey: string): string {
  const { globalKeyPrefix, fanoutPrefix, fanoutPatterns } = address;
  const channel = literal(globalKeyPrefix + fanoutPrefix + exchange);
  if (!fanoutPatterns || routingKey === "") return channel;
  return `${channel}/${literal(routingKey).replaceAll("#", "*").replaceAll("\\*", "*")}`;
}

/** Text that Redis' patterns match as it is. */
export function literal(text: string): string {
  return text.replace(/[\\*?[\]]/g, (character) => `\\${character}`);
}

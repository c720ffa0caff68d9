import type { PosthouseError } from "@posthouse/protocol";
import { agentErrors } from "../../core/errors.ts";
import { type AmqpAddress, formatHost } from "../broker-address.ts";
import { explainNetworkError, oneLine } from "../broker-errors.ts";

interface AmqpError extends Error {
  readonly code?: string | number;
}

/** What amqplib and RabbitMQ say, in plain words. */
export function explainAmqpError(thrown: Error, address: AmqpAddress, isOpen: boolean): PosthouseError {
  const at = formatHost(address);
  const place = { address: at, expected: "RabbitMQ", isEncrypted: address.tls !== undefined } as const;
  const known = explainNetworkError(thrown, place);
  if (known !== undefined) return known;
  const error = thrown as AmqpError;
  const said = saidByBroker(error.message);
  if (/ACCESS[-_]REFUSED/.test(error.message) && !isOpen)
    return agentErrors.create("BROKER_LOGIN_REFUSED", { address: at, user: address.user, reason: said });
  // The user was let in before; amqplib does not pass on what RabbitMQ says to this.
  if (/Expected ConnectionOpenOk; got <ConnectionClose/.test(error.message)) {
    const reason = "there is none of that name, the user may not use it, or it takes no more connections";
    return agentErrors.create("BROKER_VHOST_REFUSED", {
      address: at,
      user: address.user,
      vhost: address.vhost,
      reason,
    });
  }
  if (error.code === 406) {
    const differs = explainDifference(said);
    if (differs !== undefined)
      return agentErrors.create("BROKER_OBJECT_DIFFERS", { address: at, ...differs });
  }
  if (error.code === 403) return agentErrors.create("BROKER_DENIED", { address: at, reason: said });
  if (isOpen) return agentErrors.create("BROKER_CLOSED", { address: at, reason: said });
  const reason = /abruptly/.test(error.message) ? "it closes the connection without a word" : said;
  return agentErrors.create("BROKER_NOT_ONE", { address: at, expected: "RabbitMQ", reason });
}

/** RabbitMQ's own words, out of what amqplib wraps around them. */
function saidByBroker(message: string): string {
  const quoted =
    /with message "(.*?)"/s.exec(message)?.[1] ?? /"?replyText"?: ?["'](.*?)["'],/s.exec(message)?.[1];
  return oneLine(quoted ?? message);
}

/** RabbitMQ's "inequivalent arg" as who has what and what to do. */
function explainDifference(
  said: string,
): { readonly what: string; readonly name: string; readonly difference: string } | undefined {
  const parts =
    /inequivalent arg '(.+?)' for (queue|exchange) '(.*?)' in vhost '.*?': received (.+?) but current is (.+)$/.exec(
      said,
    );
  if (parts === null) return undefined;
  const [, setting = "", what = "", name = "", wanted = "", has = ""] = parts;
  return {
    what,
    name,
    difference: `its ${setting} is ${shownValue(setting, has)}, and ${shownValue(setting, wanted)} is needed${advice(setting, has)}`,
  };
}

function shownValue(setting: string, text: string): string {
  if (text.startsWith("none")) return setting === "x-queue-type" ? "classic" : "not set";
  return /'(.*?)'/.exec(text)?.[1] ?? text;
}

function advice(setting: string, has: string): string {
  if (setting !== "x-queue-type") return "";
  return has.includes("quorum")
    ? ": set quorum to true to use the queue as it is"
    : ": a queue cannot change its type; leave quorum out to use the queue as it is";
}

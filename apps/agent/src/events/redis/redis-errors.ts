import type { PosthouseError } from "@posthouse/protocol";
import { agentErrors } from "../../core/errors.ts";
import { formatHost, type RedisAddress } from "../broker-address.ts";
import { explainNetworkError, oneLine } from "../broker-errors.ts";

/** HOST:PORT, the path of the socket, or those of the Sentinels. */
export function formatRedisPlace({ at }: RedisAddress): string {
  if ("path" in at) return at.path;
  return "sentinels" in at ? at.sentinels.map(formatHost).join(", ") : formatHost(at);
}

/** What ioredis and Redis say, in plain words. */
export function explainRedisError(error: Error, address: RedisAddress, isOpen: boolean): PosthouseError {
  const place = formatRedisPlace(address);
  const known = explainNetworkError(error, {
    address: place,
    expected: "Redis",
    isEncrypted: address.tls !== undefined,
  });
  if (known !== undefined) return known;
  const reason = withoutSecrets(oneLine(error.message), address);
  const user = address.user ?? "default";
  if (/^(WRONGPASS|NOAUTH|ERR invalid password|ERR AUTH|ERR unknown command .?AUTH)/i.test(reason))
    return agentErrors.create("BROKER_LOGIN_REFUSED", { address: place, user, reason });
  if (/sentinels? /i.test(reason))
    return agentErrors.create("BROKER_UNREACHABLE", { address: place, reason });
  // How Redis begins each refusal.
  if (/^-?[A-Z]+ /.test(reason)) return agentErrors.create("BROKER_DENIED", { address: place, reason });
  const isClosed = /^Connection is closed/.test(reason);
  if (isOpen) {
    const why = isClosed ? "without a word" : reason;
    return agentErrors.create("BROKER_CLOSED", { address: place, reason: why });
  }
  const why = isClosed ? "it closes the connection without a word" : reason.replace(/\. Please report.*/, "");
  return agentErrors.create("BROKER_NOT_ONE", { address: place, expected: "Redis", reason: why });
}

/** What answers may repeat what it was sent. */
function withoutSecrets(text: string, { password, at }: RedisAddress): string {
  let clean = text;
  for (const secret of [password, "sentinels" in at ? at.password : undefined]) {
    if (secret !== undefined) clean = clean.replaceAll(secret.reveal(), "[hidden]");
  }
  return clean;
}

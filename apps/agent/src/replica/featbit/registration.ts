import { agentErrors } from "../../core/errors.ts";
import type { UpstreamAddress } from "./upstream-address.ts";

const withinMs = 10_000;
const longestAnswer = 1024;

/**
 * Registers the agent (1.4) and resolves with the id that FeatBit knows it by. Throws FEATBIT_REFUSED for 401 and 403,
 * and FEATBIT_UNREACHABLE for whatever may pass.
 */
export async function register(
  { http, address, key }: UpstreamAddress,
  agentId: string,
  stop: AbortSignal,
): Promise<string> {
  const failure = (code: "FEATBIT_REFUSED" | "FEATBIT_UNREACHABLE", reason: string): Error =>
    agentErrors.create(code, { address, what: "register", reason });
  let status: number;
  let id: string;
  try {
    const answer = await fetch(new URL("/api/public/agent/register", http), {
      method: "POST",
      headers: { authorization: key.reveal(), "content-type": "application/json; charset=utf-8" },
      body: JSON.stringify(agentId),
      redirect: "manual",
      signal: AbortSignal.any([stop, AbortSignal.timeout(withinMs)]),
    });
    status = answer.status;
    id = (await readStart(answer)).trim();
  } catch (error) {
    stop.throwIfAborted();
    throw failure("FEATBIT_UNREACHABLE", reasonOf(error));
  }
  if (status === 401 || status === 403) throw failure("FEATBIT_REFUSED", `status ${status}`);
  if (status < 200 || status > 299) throw failure("FEATBIT_UNREACHABLE", `status ${status}`);
  if (id === "") throw failure("FEATBIT_UNREACHABLE", "the answer is empty");
  return id;
}

async function readStart({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > longestAnswer) throw new Error("the answer is too long for an id");
  }
  return text;
}

/** `fetch` tells the reason in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${withinMs / 1000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return "code" in cause ? String(cause.code) : cause.message;
}

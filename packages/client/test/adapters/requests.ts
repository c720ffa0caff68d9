import { exchangeBytes, parseAnswer, type RawAnswer } from "@posthouse/testkit/raw-http";

/** Sends a request line without its version as it is, and nothing but a Host header. */
export async function send(port: number, request: string, host = "example.com"): Promise<RawAnswer> {
  const head = `${request} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  return parseAnswer(await exchangeBytes(port, head, { deadlineMs: 15_000 }));
}

/** The body without the lengths of its chunks. */
export function bodyOf(answer: RawAnswer): string {
  const isChunked = answer.header("transfer-encoding") === "chunked";
  const text = isChunked ? answer.body.replace(/[0-9a-f]+\r\n([\s\S]*?)\r\n/g, "$1") : answer.body;
  return Buffer.from(text, "latin1").toString();
}

import { connect } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** In the order received, names as received. */
  readonly headers: readonly (readonly [string, string])[];
  /** The value of a header, or undefined; names compare without case. */
  header(name: string): string | undefined;
  readonly body: string;
  /** All bytes received, as latin1. */
  readonly text: string;
}

export interface RawOptions {
  readonly host?: string;
  readonly deadlineMs?: number;
}

/**
 * Sends bytes (a string is sent as latin1) to a port and resolves with all that came back when the other side closed
 * the connection; write `Connection: close` into the request. Rejects when it does not within the deadline (5 s).
 */
export function exchangeBytes(
  port: number,
  bytes: string | Uint8Array,
  options: RawOptions = {},
): Promise<string> {
  const { host = "127.0.0.1", deadlineMs = 5000 } = options;
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ host, port }).setEncoding("latin1");
    socket.setTimeout(deadlineMs, () => {
      socket.destroy();
      reject(new Error(`not closed within ${deadlineMs} ms; received ${JSON.stringify(text)}`));
    });
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET" && text !== "") resolve(text);
      else reject(error);
    });
    socket.on("close", () => resolve(text));
    socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  });
}

/** One request with these head lines, `Connection: close` added; the parsed answer. */
export async function sendRaw(
  port: number,
  head: readonly string[],
  options: RawOptions = {},
): Promise<RawAnswer> {
  return parseAnswer(
    await exchangeBytes(port, `${[...head, "Connection: close"].join("\r\n")}\r\n\r\n`, options),
  );
}

/** Parses one answer whose body ends with the connection. */
export function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) throw new Error(`not an HTTP answer: ${JSON.stringify(text)}`);
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]),
    headers,
    header: (name) => headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1],
    body: text.slice(end + 4),
    text,
  };
}

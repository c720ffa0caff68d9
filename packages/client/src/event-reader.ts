import { createLineSplitter } from "./line-splitter.ts";

export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

const maxEventLength = 64 * 1024;

/** Reads a stream of server-sent events. Comments are left out; `id` and `retry` mean nothing here. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const splitter = createLineSplitter(maxEventLength);
  let event = "message";
  let data: string[] = [];
  for await (const bytes of body) {
    for (const whole of splitter.push(bytes)) {
      const line = whole.endsWith("\r") ? whole.slice(0, -1) : whole;
      if (line === "") {
        if (data.length > 0) yield { event, data: data.join("\n") };
        event = "message";
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event = value;
      else if (field === "data" && data.length < 1000) data.push(value);
    }
  }
}

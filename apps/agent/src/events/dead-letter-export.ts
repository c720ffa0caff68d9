import type { Log } from "@posthouse/service";
import type { Exchange } from "../http/exchange.ts";
import type { EventsJob } from "./job.ts";

/** Answers with all dead letters after an id, whole, a JSON object per line; a page at a time, as the client reads. */
export function exportDeadLetters(
  exchange: Exchange,
  job: EventsJob,
  query: { readonly subscription?: string | undefined; readonly after: number },
  log: Log,
): void {
  let isClosed = false;
  let wake: (() => void) | undefined;
  exchange.listen({
    onDrain: () => wake?.(),
    onClose() {
      isClosed = true;
      wake?.();
    },
  });

  async function send(): Promise<void> {
    let isBegun = false;
    for (let { after } = query; !isClosed; ) {
      const page = await job.call("listDeadLetters", { ...query, after, whole: true });
      if (isClosed) return;
      if (!isBegun)
        exchange.begin(200, "OK", ["Content-Type", "application/x-ndjson", "Cache-Control", "no-store"]);
      isBegun = true;
      const last = page.at(-1);
      if (last === undefined) return exchange.end([]);
      after = last.id;
      const text = page.map((letter) => `${JSON.stringify(letter)}\n`).join("");
      if (exchange.write(Buffer.from(text)) || isClosed) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = undefined;
    }
  }

  send().catch((error: unknown) => {
    log.warn({ error }, "an export of dead letters was broken off");
    if (!isClosed) exchange.abort();
  });
}

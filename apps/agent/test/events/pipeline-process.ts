/**
 * `pipeline-process.ts FOLDER URL NAME`: takes messages of its own making as fast as it can, delivers them to a webhook,
 * and says which are acknowledged.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createLog } from "@posthouse/service";
import type { BrokerMessage } from "../../src/events/celery/message.ts";
import { createDeadLetters } from "../../src/events/dead-letters.ts";
import { createIntake } from "../../src/events/intake.ts";
import { createPipeline } from "../../src/events/pipeline.ts";
import { createWebhookSink } from "../../src/events/sinks/webhook.ts";
import { createSpool } from "../../src/spool/spool.ts";

const [folder = "", url = "", name = ""] = process.argv.slice(2);
const log = createLog({ level: "error", format: "json" });
const spool = createSpool({
  directory: join(folder, "spool"),
  maxBytes: 64 * 2 ** 20,
  segmentBytes: 128 * 1024,
  log,
});
await spool.start();
const deadLetters = createDeadLetters({ file: join(folder, "state.db"), log });
await deadLetters.start();
const pipeline = createPipeline({
  name: "kill",
  spool,
  deadLetters,
  log,
  sink: createWebhookSink({ url, connections: 3 }),
  maxEvents: 50,
  maxBytes: 2 ** 20,
  windowMs: 20,
  concurrency: 3,
});
await pipeline.start();
const intake = createIntake({ spool, log });

/** Said at once: to a file, which outlives the process. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function messageOf(index: number): BrokerMessage {
  const common = { hostname: "w1@vm", utcoffset: 0, pid: 7, timestamp: 1795223756.5, type: "task-sent" };
  // Every tenth is poison, every seventh a list.
  if (index % 10 === 9) return { transport: "amqp", body: Buffer.from(`poison ${name}-${index};`) };
  const parts = index % 7 === 6 ? [0, 1, 2] : [0];
  const events = parts.map((part) => ({ ...common, clock: index, uuid: `${name}-${index}-${part}` }));
  return { transport: "redis", payload: Buffer.from(JSON.stringify({ body: JSON.stringify(events) })) };
}

let index = 0;
let acknowledged = 0;
function takeSome(): void {
  for (let some = 0; some < 20 && index - acknowledged < 500; some++) {
    const taken = index;
    const done = (): void => {
      acknowledged++;
      say(`acknowledged ${taken}`);
    };
    if (!intake.take(messageOf(taken), done)) {
      intake.onRoom(takeSome);
      return;
    }
    index++;
  }
  setTimeout(takeSome, 1);
}
takeSome();

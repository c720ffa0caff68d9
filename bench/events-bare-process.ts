/**
 * `events-bare-process.ts BROKER QUEUE API`: the least that carries events from RabbitMQ to a Leek API: JSON is parsed, a
 * thousand events go in a request, one after the other, and are acknowledged then. No disk, no check, no documents.
 * Begins when it is told to.
 */
import { connect } from "amqplib";

const [broker = "", queue = "", api = ""] = process.argv.slice(2);
const mostEvents = 1000;
const headers = {
  "content-type": "application/json",
  "x-leek-org-name": "mono",
  "x-leek-app-name": "bench",
  "x-leek-app-key": "secret",
  "x-leek-app-env": "prod",
};
const connection = await connect(broker);
const channel = await connection.createChannel();
await channel.prefetch(2 * mostEvents);
const waiting: { readonly document: object; readonly tag: number }[] = [];
let isPosting = false;

async function post(): Promise<void> {
  isPosting = true;
  while (waiting.length > 0) {
    const batch = waiting.splice(0, mostEvents);
    const body = JSON.stringify(batch.map(({ document }) => document));
    const response = await fetch(`${api}/v1/events/process`, { method: "POST", headers, body });
    if (response.status !== 201) throw new Error(`the API answers ${response.status}`);
    await response.arrayBuffer();
    const tag = batch.at(-1)?.tag ?? 0;
    channel.ack({ fields: { deliveryTag: tag } } as never, true);
  }
  isPosting = false;
}

process.once("message", async () => {
  await channel.consume(queue, (message) => {
    if (message === null) return;
    const event = JSON.parse(message.content.toString()) as { uuid: string; type: string };
    const document = { ...event, id: event.uuid, events: [], events_count: 1 };
    waiting.push({ document, tag: message.fields.deliveryTag });
    if (!isPosting && waiting.length >= mostEvents) void post();
  });
  setInterval(() => {
    if (!isPosting) void post();
  }, 1000);
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready");

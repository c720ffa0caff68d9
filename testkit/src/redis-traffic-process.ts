/**
 * `redis-traffic-process.ts PORT PER_SECOND SECONDS`: publishes events as kombu does, so many a second, over a raw
 * connection; says at the end what was published and how often nobody was there to receive it.
 */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { kombuEnvelope, taskLives } from "./celery-traffic.ts";

const [port = 0, perSecond = 0, seconds = 0] = process.argv.slice(2).map(Number);
const channel = "/0.celeryev/task.multi";
const traffic = taskLives();
const socket = connect({ port, host: "127.0.0.1", noDelay: true });
let answered = 0;
let unheard = 0;
let rest = "";
socket.setEncoding("latin1").on("data", (text: string) => {
  const lines = (rest + text).split("\r\n");
  rest = lines.pop() ?? "";
  answered += lines.length;
  for (const line of lines) if (line === ":0") unheard++;
});
socket.on("error", (error) => {
  throw error;
});

function command(index: number): string {
  const envelope = kombuEnvelope(traffic.body(index));
  return `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${envelope.length}\r\n${envelope}\r\n`;
}

const startedAt = performance.now();
const total = Math.round(perSecond * seconds);
let published = 0;
while (published < total) {
  const due = Math.min(total, Math.ceil(((performance.now() - startedAt) / 1000) * perSecond));
  const commands: string[] = [];
  for (const end = Math.min(due, published + 2000); published < end; published++)
    commands.push(command(published));
  if (!socket.write(commands.join(""), "latin1"))
    await new Promise((resolve) => socket.once("drain", resolve));
  else await sleep(published < due ? 0 : 4);
}
while (answered < published) await sleep(5);
console.log(
  `RESULT ${JSON.stringify({ published, unheard, seconds: (performance.now() - startedAt) / 1000 })}`,
);
socket.destroy();

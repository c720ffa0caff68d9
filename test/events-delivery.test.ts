/** Events on their way to two receivers while everything between fails, each fault once; the soak draws them at random. */
import { needRabbitMq } from "@posthouse/testkit/rabbitmq";
import { needRedis } from "@posthouse/testkit/redis";
import { deliverySoakProblems, soakDelivery } from "@posthouse/testkit/soak-delivery";
import { describe, expect, it } from "vitest";

const brokers = [
  { broker: "rabbitmq", found: await needRabbitMq() },
  { broker: "redis", found: await needRedis() },
] as const;
for (const { found } of brokers)
  if ("missing" in found) process.stderr.write(`SKIPPED: deliveries in trouble; ${found.missing}\n`);
const seed = 20_260_715;
/** Five times the figure: other tests run beside this one. */
const slackMs = 1000;

describe.concurrent("deliveries in trouble", { timeout: 240_000 }, () => {
  for (const { broker, found } of brokers) {
    it.skipIf("missing" in found)(
      `${broker}: what was promised arrives, through each fault once`,
      async () => {
        const result = await soakDelivery({ broker, seed, slackMs, durationMs: 0 });
        for (const reason of result.skipped) process.stderr.write(`SKIPPED: ${reason}\n`);
        const { webhook, leek } = result.sinks;
        console.info(
          `${broker}: ${webhook.arrived} and ${leek.arrived} events arrived, ${webhook.duplicates} and ${leek.duplicates} again`,
        );
        expect(deliverySoakProblems(result)).toEqual([]);
      },
    );
  }

  it.skipIf("missing" in brokers[1].found)(
    "an event that is dropped or altered at the receiver is told",
    async () => {
      const result = await soakDelivery({
        ...{ broker: "redis", seed, slackMs, durationMs: 0, lanes: [] },
        tamper(arrivals) {
          const [, second, third, ...rest] = arrivals;
          if (second === undefined || third === undefined) throw new Error("too little arrived");
          return [{ ...second, event: { ...second.event, pid: 8 } }, third, ...rest];
        },
      });
      expect(deliverySoakProblems(result)).toEqual([
        expect.stringMatching(/^webhook: 1 × arrived as another/),
        expect.stringMatching(/^webhook: 1 × did not arrive/),
      ]);
    },
  );
});

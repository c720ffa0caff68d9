import { exampleDump, examplePayload, exampleUser } from "@posthouse/testkit/featbit/example";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { expect, test } from "vitest";
import { startFlags } from "./harness.ts";

function exampleWorld(): FeatbitWorld {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  return world;
}

test("a server SDK gets flags and segments as they came, a client SDK what they are for its user", async () => {
  await using flags = await startFlags({ world: exampleWorld() });
  flags.load();
  const server = await flags.connect("server");
  const [item] = exampleDump().items;
  server.send('{"messageType":"data-sync","data":{"timestamp":0}}');
  expect(await server.next()).toBe(
    JSON.stringify({
      messageType: "data-sync",
      data: { eventType: "full", featureFlags: item?.featureFlags, segments: item?.segments },
    }),
  );
  const client = await flags.connect("client");
  client.send({ messageType: "data-sync", data: { timestamp: 0, user: exampleUser } });
  expect(await client.next()).toBe(JSON.stringify(examplePayload));
});

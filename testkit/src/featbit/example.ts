import { readFileSync } from "node:fs";
import type { Dump, FeatbitUser } from "./shapes.ts";

const file = new URL("./fixtures/example.json", import.meta.url);

/** Two flags and a segment of one environment, `shop:prod`, with a server and a client secret. A new copy each time. */
export const exampleDump = (): Dump => JSON.parse(readFileSync(file, "utf8"));

export const exampleUser: FeatbitUser = {
  keyId: "u-101",
  name: "Max",
  customizedProperties: [{ name: "visits", value: "2" }],
};

const option = (id: string, value: string): object => ({ id, value });

/** What a client SDK of that user gets for the whole of the dump. */
export const examplePayload: object = {
  messageType: "data-sync",
  data: {
    eventType: "full",
    userKeyId: "u-101",
    featureFlags: [
      {
        id: "new-checkout",
        variation: "true",
        variationType: "boolean",
        variationId: "v-on",
        matchReason: "default",
        variationOptions: [option("v-on", "true"), option("v-off", "false")],
        sendToExperiment: true,
        timestamp: 1740824430456,
      },
      {
        id: "banner-text",
        variation: "Welcome",
        variationType: "string",
        variationId: "b-a",
        matchReason: "default",
        variationOptions: [option("b-a", "Welcome"), option("b-b", "Hello again")],
        sendToExperiment: true,
        timestamp: 1740902400000,
      },
    ],
  },
};

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "@posthouse/service";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { flagSourceSchema } from "../../src/config/flag-source.ts";
import { flagSourceKey } from "../../src/replica/featbit/flag-source.ts";

const envId = "3f2b8c1e-7a54-4d0b-9c6e-2f1d0a9b8c7d";
const auto = { streaming_uri: "wss://featbit.example.com", api_key: "rp-key" };

describe("the configuration of the flag source", () => {
  it("has defaults", () => {
    expect(flagSourceSchema.parse(auto)).toMatchObject({
      mode: "auto",
      secrets: {},
      full_sync_every: 300_000,
      ping_every: 15_000,
      message_size: 256 * 1024 * 1024,
    });
  });

  it.each([
    [{}, "streaming_uri"],
    [{ streaming_uri: auto.streaming_uri }, "api_key"],
    [{ mode: "manual" }, "api_key"],
    [{ mode: "offline" }, "file"],
    [{ ...auto, mode: "Auto" }, "mode"],
    [{ ...auto, streaming_uri: "featbit" }, "streaming_uri"],
    [{ ...auto, streaming_uri: "ftp://featbit" }, "streaming_uri"],
    [{ ...auto, streaming_uri: "ws://featbit?token=rp-x" }, "streaming_uri"],
    [{ ...auto, full_sync_every: "10ms" }, "full_sync_every"],
    [{ ...auto, secrets: { [envId]: [{ key: "short", type: "server" }] } }, "secrets"],
    [{ ...auto, secrets: { "shop:prod": [] } }, "secrets"],
    [{ ...auto, secrets: { [`{${envId}}`]: [] } }, "secrets"],
    [{ ...auto, secrets: { [envId]: [], [envId.toUpperCase()]: [] } }, "secrets"],
  ])("refuses %o", (config, key) => {
    const result = flagSourceSchema.safeParse(config);
    expect(result.error?.issues[0]?.path[0]).toBe(key);
  });
});

it("tells two sources apart by their own settings, secrets included, and by no other", () => {
  const secrets = { [envId]: [{ key: "A".repeat(44), type: "server" }] };
  const keyOf = (config: object, more: object = {}): string =>
    flagSourceKey({
      config: { ...flagSourceSchema.parse({ ...auto, secrets, ...config }), ...more },
      agentName: "a",
      state: "s",
    });
  expect(keyOf({}, { limits: 7 })).toBe(keyOf({}));
  for (const change of [
    { api_key: "rp-other" },
    { secrets: { [envId]: [{ key: "B".repeat(44), type: "server" }] } },
    { full_sync_every: "6m" },
  ])
    expect(keyOf(change)).not.toBe(keyOf({}));
});

it("reads what the guide shows", () => {
  const guide = readFileSync(join(import.meta.dirname, "../../../../docs/guide/flag-source.md"), "utf8");
  const blocks = [...guide.matchAll(/^```yml\n([\s\S]*?)^```/gm)].map(([, text = ""]) => text);
  const schema = z.strictObject({ flags: flagSourceSchema });
  const modes = blocks.map((text) => parseConfig(text, "guide.yml", schema, {}).flags.mode);
  expect(modes).toEqual(["auto", "offline"]);
});

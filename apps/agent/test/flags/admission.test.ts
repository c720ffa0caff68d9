import { exampleDump, exampleUser } from "@posthouse/testkit/featbit/example";
import { createSecret } from "@posthouse/testkit/featbit/secrets";
import { encodeToken } from "@posthouse/testkit/featbit/token";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { expect, test } from "vitest";
import { type FlagsHarness, startFlags } from "./harness.ts";

const [item] = exampleDump().items;
const secret = (type: string): string => item?.secrets.find((each) => each.type === type)?.value ?? "";
const unknown = createSecret(item?.envId ?? "");
const invalid = [4003, "invalid request, close by server"] as const;

function start(config: Readonly<Record<string, unknown>> = {}): Promise<FlagsHarness> {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  return startFlags({ world, config });
}

const closeOf = async (flags: FlagsHarness, query: string): Promise<readonly [number, string]> =>
  (await flags.open(query)).closed;

const never: readonly (readonly [what: string, cause: string, query: () => string])[] = [
  ["no type", "type", () => `token=${encodeToken(secret("server"))}`],
  ["an unknown type", "type", () => `type=phone&token=${encodeToken(secret("server"))}`],
  ["an unknown version", "version", () => `type=server&version=999&token=${encodeToken(secret("server"))}`],
  ["no token", "token", () => "type=server"],
  ["a token that is none", "token", () => "type=server&token=XXX"],
  ["a position beyond 255", "token", () => `type=server&token=WHD${encodeToken(secret("server")).slice(3)}`],
  [
    "a clock 31 s late",
    "skew",
    () => `type=server&token=${encodeToken(secret("server"), Date.now() - 31_000)}`,
  ],
  [
    "a clock 31 s early",
    "skew",
    () => `type=server&token=${encodeToken(secret("server"), Date.now() + 31_000)}`,
  ],
  ["another type's secret", "wrong_type", () => `type=server&token=${encodeToken(secret("client"))}`],
  ["a secret that nobody has", "unknown_key", () => `type=server&token=${encodeToken(unknown)}`],
  ["an unknown relay key", "unknown_key", () => "type=relay-proxy&token=rp-other"],
];

test.each(never)("%s: accepted, then closed for good", async (_, cause, query) => {
  await using flags = await start();
  flags.load();
  expect(await closeOf(flags, query())).toEqual(invalid);
  expect(await flags.metric(`posthouse_flags_sessions_refused_total{cause="${cause}"}`)).toBe(1);
});

test.each(["", "&version=", "&version=1", "&version=2"])("version %j is served", async (version) => {
  await using flags = await start();
  flags.load();
  const sdk = await flags.open(`type=server&token=${encodeToken(secret("server"))}${version}`);
  expect(await sdk.isQuiet()).toBe(true);
});

test.each(["streaming", "STREAMING/", "//Streaming/any"])("the path may be written %s", async (path) => {
  await using flags = await start();
  flags.load();
  const { RawSdk } = await import("./harness.ts");
  const sdk = new RawSdk(`${flags.url}/${path}?Type=client&TOKEN=${encodeToken(secret("client"))}`);
  await sdk.opened;
  expect(await sdk.sync(0, exampleUser)).toMatchObject({ eventType: "full" });
  sdk.socket.terminate();
});

test("before data, and after a start from disk, an unknown key is told to come back, a known one is served", async () => {
  await using flags = await start();
  expect((await closeOf(flags, `type=server&token=${encodeToken(secret("server"))}`))[0]).toBe(1013);
  flags.load("disk");
  const sdk = await flags.connect("server");
  expect(await sdk.sync(0)).toMatchObject({ eventType: "full" });
  expect((await closeOf(flags, `type=server&token=${encodeToken(unknown)}`))[0]).toBe(1013);
  expect((await closeOf(flags, "type=server&token=XXX"))[0]).toBe(4003);
  flags.load();
  expect((await closeOf(flags, `type=server&token=${encodeToken(unknown)}`))[0]).toBe(4003);
});

test("how far clocks may be apart is a setting, and a refusal for it is told apart in the log", async () => {
  await using flags = await start({ token_tolerance: "2m" });
  flags.load();
  const late = (seconds: number): string =>
    `type=server&token=${encodeToken(secret("server"), Date.now() - seconds * 1000)}`;
  expect(await (await flags.open(late(100))).isQuiet()).toBe(true);
  expect(await closeOf(flags, late(130))).toEqual(invalid);
  const entry = flags.entries.find(({ msg }) => String(msg).includes("token_tolerance"));
  expect(entry).toMatchObject({ level: "warn", skewSeconds: -130 });
});

test("what is no WebSocket is refused over HTTP", async () => {
  await using flags = await start();
  expect((await fetch(`${flags.url}/streaming`)).status).toBe(404);
  expect((await fetch(`${flags.url}/streamingx`)).status).toBe(404);
});

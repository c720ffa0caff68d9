/** What people write who come from another server works, or is told in our words. */
import { parseConfig } from "@posthouse/service";
import { describe, expect, it } from "vitest";
import { type AgentConfig, agentConfigSchema } from "../src/index.ts";

const parse = (site: string, forward = '"http://127.0.0.1:1"'): AgentConfig =>
  parseConfig<AgentConfig>(
    `state: s\nsites:\n  - listen: :8000\n    ${site}\n    hosts: [{ forward: ${forward} }]\n`,
    "p.yaml",
    agentConfigSchema,
    {},
  );
const upstreams = 'upstreams: ["http://127.0.0.1:1"]';

it("an access log may be a path alone", () => {
  const [site] = parse("access_log: /var/log/shop.log").sites;
  expect(site?.access_log).toEqual({ path: "/var/log/shop.log", format: "combined" });
});

describe("is told what to write:", () => {
  it.each([
    ["access_log: off", /p\.yaml:4:17 .+access_log: "off" is no file: .+leave access_log out for none$/],
    ["access_log: combined", /access_log: "combined" is no file: write a path or stdout/],
    ["access_log: false", /access_log: expected a file to append to, or stdout/],
    ["access_log: { pth: a }", /access_log\.pth: unknown key; did you mean "path"\?/],
    ["limits: { header_size: 16k }", /header_size: expected a size .+; did you mean "16KiB"\?$/],
    ["limits: { header_size: 1 MB }", /header_size: expected a size .+; did you mean "1MiB"\?$/],
    ["limits: { header_size: 4096 }", /header_size: expected a size .+; did you mean "4096B"\?$/],
    ["limits: { header_size: large }", /header_size: expected a size such as "64KiB" or "1MiB"$/],
    ["limits: { keep_alive: 65 }", /keep_alive: expected a duration .+; did you mean "65s"\?$/],
    ["limits: { keep_alive: 1d }", /keep_alive: expected a duration .+; did you mean "24h"\?$/],
  ])("%s", (site, message) => {
    expect(() => parse(site)).toThrow(message);
  });

  it.each([
    ["ip_hash", "hash"],
    ["least_conn", "least_connections"],
    ["roundrobin", "round_robin"],
    ["round-robin", "round_robin"],
  ])("balance: %s", (theirs, ours) => {
    expect(() => parse("limits: {}", `{ ${upstreams}, balance: ${theirs} }`)).toThrow(
      `balance: expected round_robin, least_connections or hash; did you mean "${ours}"?`,
    );
  });

  it("balance: random, of which there is none", () => {
    expect(() => parse("limits: {}", `{ ${upstreams}, balance: random }`)).toThrow(/or hash$/);
  });
});

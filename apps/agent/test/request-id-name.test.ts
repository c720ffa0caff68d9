import { parseConfig } from "@posthouse/service";
import { expect, it } from "vitest";
import { type AgentConfig, agentConfigSchema } from "../src/index.ts";

const parse = (name: string): AgentConfig =>
  parseConfig<AgentConfig>(
    `state: ./state\nsites:\n  - { listen: "127.0.0.1:1", request_id: ${name}, hosts: [{}] }\n`,
    "posthouse.yaml",
    agentConfigSchema,
    {},
  );

it.each(["Host", "content-length", "Transfer-Encoding", "Connection", "X-Forwarded-For", "Via", "Cookie"])(
  "an id of requests cannot travel as %s",
  (name) => {
    expect(() => parse(name)).toThrow("posthouse.yaml:3:42  sites[0].request_id: this header has a meaning");
  },
);

it.each(["X-Request-Id", "traceparent", "Request-Id"])("it can as %s", (name) => {
  expect(parse(name).sites[0]?.request_id).toBe(name);
});

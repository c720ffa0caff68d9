/** Two addresses that one machine cannot listen on at once are told with their line, as a start would find out. */
import { createServer } from "node:net";
import { closeServer, type ListenAddress, listenOn, parseConfig } from "@posthouse/service";
import { describe, expect, it } from "vitest";
import { type AgentConfig, agentConfigSchema } from "../src/index.ts";

const pairs: [one: string, other: string, message?: string][] = [
  ["127.0.0.1:PORT", "0.0.0.0:PORT", "sites[0] listens on 127.0.0.1:8000, which takes 0.0.0.0:8000 too"],
  ["0.0.0.0:PORT", "127.0.0.1:PORT", "sites[0] listens on 0.0.0.0:8000, which takes 127.0.0.1:8000 too"],
  [":PORT", "127.0.0.1:PORT", "sites[0] listens on :8000, which takes 127.0.0.1:8000 too"],
  ["[::]:PORT", "0.0.0.0:PORT", "sites[0] listens on [::]:8000, which takes 0.0.0.0:8000 too"],
  ["[::]:PORT", ":PORT", "sites[0] listens on [::]:8000, which takes :8000 too"],
  ["[::1]:PORT", "[0:0::1]:PORT", "sites[0] listens on [::1]:8000, which takes [0:0::1]:8000 too"],
  ["[::]:PORT", "localhost:PORT", "sites[0] listens on [::]:8000, which takes localhost:8000 too"],
  ["127.0.0.1:PORT", "127.0.0.1:PORT", "sites[0] listens on 127.0.0.1:8000 already"],
  ["127.0.0.1:PORT", "127.0.0.2:PORT"],
  ["127.0.0.1:PORT", "[::1]:PORT"],
  ["0.0.0.0:PORT", "[::1]:PORT"],
];

function verdict(one: string, other: string): string | undefined {
  const at = (listen: string): string => listen.replace("PORT", "8000");
  const lines = [one, other].map((listen) => `  - { listen: "${at(listen)}", hosts: [{ match: ["*"] }] }`);
  const text = `state: s\nsites:\n${lines.join("\n")}\n`;
  try {
    parseConfig<AgentConfig>(text, "p.yaml", agentConfigSchema, {});
    return undefined;
  } catch (error) {
    return String((error as Error).message);
  }
}

/** Whether a machine can listen on both. */
async function canListen(one: string, other: string): Promise<boolean> {
  const [first, second] = [createServer(), createServer()];
  const address = (text: string, port: number): ListenAddress => ({
    host: text.replace(/:PORT$/, "").replace(/[[\]]/g, ""),
    port,
  });
  try {
    const { port } = await listenOn(first, address(one, 0));
    await listenOn(second, address(other, port));
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "PORT_IN_USE") throw error;
    return false;
  } finally {
    await Promise.all([closeServer(first, 0), closeServer(second, 0)]);
  }
}

const hasIpv6 = await canListen("[::1]:PORT", "127.0.0.1:PORT").catch(() => false);
if (!hasIpv6) console.warn("SKIPPED: addresses of IPv6, which this machine has not");

describe.each(pairs.map(([one, other, message]) => ({ one, other, message })))(
  "$one and $other",
  ({ one, other, message }) => {
    it("are told by the configuration", () => {
      const told = message && `p.yaml:4:15  sites[1].listen: ${message}`;
      expect(verdict(one, other)).toBe(told);
    });

    it.skipIf(!hasIpv6 && `${one}${other}`.includes("["))("are so on this machine", async () => {
      expect(await canListen(one, other)).toBe(message === undefined);
    });
  },
);

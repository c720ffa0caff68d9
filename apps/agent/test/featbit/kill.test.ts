import { fileURLToPath } from "node:url";
import { killFlagSource, killProblems } from "@posthouse/testkit/featbit-kill";
import { expect, it } from "vitest";

const childFile = fileURLToPath(new URL("./kill-child.ts", import.meta.url));

it("killed at any moment while flags change, the next start serves what FeatBit really had", async () => {
  const result = await killFlagSource({ kills: 20, childFile });
  expect(killProblems(result)).toEqual([]);
}, 120_000);

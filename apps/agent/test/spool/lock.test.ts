/** One process has a spool at a time, and its death ends that. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openSpool, temporaryDirectory, textsOf } from "./harness.ts";

it("is refused to a second opener of this process until the first has stopped", async () => {
  const directory = await temporaryDirectory();
  const first = await openSpool(directory);
  await first.append(Buffer.from("mine"));
  await expect(openSpool(directory)).rejects.toMatchObject({ code: "SPOOL_IN_USE" });
  expect(await first.append(Buffer.from("still mine"))).toBe(2);
  await first.stop(1000);
  expect(await textsOf(await openSpool(directory))).toEqual(["mine", "still mine"]);
});

it("is refused while another process has it, and given when that was killed", async () => {
  const directory = await temporaryDirectory();
  const child = spawn(
    process.execPath,
    ["--conditions=posthouse-source", join(import.meta.dirname, "appender-process.ts"), directory, "a"],
    { stdio: ["ignore", "pipe", "inherit"], timeout: 30_000 },
  );
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  child.kill("SIGSTOP");
  await expect(openSpool(directory)).rejects.toMatchObject({ code: "SPOOL_IN_USE" });
  child.kill("SIGKILL");
  await exited;
  await (await openSpool(directory)).append(Buffer.from("mine"));
});

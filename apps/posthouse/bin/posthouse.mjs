#!/usr/bin/env node
// Starts the built command; in a checkout, where nothing is built, its source under the Node that the checkout pins.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const home = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(home, "src", "main.ts");
const pinned = join(home, "..", "..", "node_modules", "node", "bin", "node");

if (existsSync(source) && existsSync(pinned)) {
  const child = spawn(
    pinned,
    [
      "--conditions=posthouse-source",
      "--disable-warning=ExperimentalWarning",
      source,
      ...process.argv.slice(2),
    ],
    { stdio: "inherit" },
  );
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
} else if (Number(process.versions.node.split(".")[0]) < 24) {
  console.error(`posthouse: needs Node 24 or newer; this is ${process.version}`);
  process.exit(2);
} else {
  await import("../dist/main.js");
}

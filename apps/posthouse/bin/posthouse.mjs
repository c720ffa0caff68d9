#!/usr/bin/env node
// Starts the built command; in a checkout, where nothing is built, its source under the Node that the checkout pins.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const home = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(home, "src", "main.ts");
const pinned = join(home, "..", "..", "node_modules", "node", "bin", "node");

if (existsSync(source) && existsSync(pinned)) {
  const child = spawn(
    pinned,
    [
      "--conditions=posthouse-source",
      "--disable-warning=ExperimentalWarning",
      `--import=${pathToFileURL(join(home, "..", "..", "scripts", "end-with-launcher.mjs"))}`,
      source,
      ...process.argv.slice(2),
    ],
    {
      stdio: ["inherit", "inherit", "inherit", "pipe"],
      env: { ...process.env, POSTHOUSE_LAUNCHER_PIPE: "3" },
    },
  );
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR1"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
} else if (isOld(process.versions.node)) {
  console.error(`posthouse: needs Node 24.9 or newer; this is ${process.version}`);
  process.exit(2);
} else {
  await import("../dist/main.js");
}

function isOld(version) {
  const [major, minor] = version.split(".").map(Number);
  return major < 24 || (major === 24 && minor < 9);
}

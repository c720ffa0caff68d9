// Every npm script starts here, under whatever Node is on the PATH. It installs what is missing, then hands over to
// the pinned Node (the npm package `node`), so that the rest of the repository may count on it.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const pinned = join(root, "node_modules", "node", "bin", "node");
const scripts = {
  start: ["apps/posthouse/src/main.ts", "up"],
  test: ["scripts/test.ts"],
  lint: ["scripts/test.ts", "--gates"],
  bench: ["bench/run.ts"],
  conformance: ["scripts/conformance.ts"],
  soak: ["scripts/soak.ts"],
  reference: ["scripts/reference.ts"],
  replay: ["scripts/replay.ts"],
};

const [name, ...rest] = process.argv.slice(2);
const script = scripts[name];
if (script === undefined) {
  console.error(`unknown script "${name}"; known: ${Object.keys(scripts).join(", ")}`);
  process.exit(2);
}

if (!isInstalled()) install();
const path = `${join(root, "node_modules", ".bin")}:${process.env.PATH}`;
// TypeScript is made ready to run once, not by each of the hundreds of processes that the tests start. What is measured
// goes without: an installed Posthouse has no such cache.
const cache = {
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules", ".cache", "node"),
};
const child = spawn(
  pinned,
  [
    "--conditions=posthouse-source",
    "--disable-warning=ExperimentalWarning",
    `--import=${new URL("./end-with-launcher.mjs", import.meta.url)}`,
    join(root, script[0]),
    ...script.slice(1),
    ...rest,
  ],
  {
    stdio: ["inherit", "inherit", "inherit", "pipe"],
    cwd: name === "start" ? process.cwd() : root,
    env: {
      ...process.env,
      PATH: path,
      ...(name === "test" && cache),
      npm_config_node_options: undefined,
      POSTHOUSE_LAUNCHER_PIPE: "3",
    },
  },
);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"]) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the whole group, and the child has its own handler; only a signal sent to this
    // process alone must be passed on.
    if (!(signal === "SIGINT" && process.stdin.isTTY)) child.kill(signal);
  });
}
child.on("exit", (code, signal) => {
  process.exit(code ?? (signal === "SIGINT" ? 130 : 1));
});

/** npm writes what it installed into a hidden lock file: newer than ours means nothing to do. */
function isInstalled() {
  const installed = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(pinned) || !existsSync(installed)) return false;
  if (statSync(installed).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs) return true;
  const packagesOf = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
  const have = packagesOf(installed);
  for (const [path, wanted] of Object.entries(packagesOf(join(root, "package-lock.json")))) {
    const left = wanted.optional && have[path] === undefined; // another platform's
    if (path.startsWith("node_modules/") && !left && have[path]?.version !== wanted.version) return false;
  }
  return true;
}

function install() {
  console.error("Installing dependencies (once; about half a minute) …");
  // Not `npm ci`: it refuses a lock file that lacks the optional packages of platforms its registry does not carry.
  const options = ["--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", ["install", ...options], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0 || !existsSync(pinned)) {
    console.error("npm install failed; its messages above say why. Is the npm registry reachable?");
    process.exit(1);
  }
}

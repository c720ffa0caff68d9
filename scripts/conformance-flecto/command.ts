import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Vector } from "./vector.ts";

const main = join(import.meta.dirname, "..", "..", "apps", "posthouse", "src", "main.ts");
const keys = [
  ...["manager_url", "namespace_code", "project_code", "token_jwt", "header_authorization_name"],
  ...["interval_check", "agent_name", "debug", "host_configs", "hosts"],
];
const deadlineMs = 60_000;

/** Options with which the middleware does not start must end `posthouse convert` with 2 and a message that names a key. */
export async function checkRefusal({ config, expect }: Vector): Promise<string | undefined> {
  if (expect?.kind !== "config_error" && expect?.kind !== "panic") {
    return `nothing to compare with: ${JSON.stringify(expect)}`;
  }
  const text = JSON.stringify(config).replaceAll(/"MGR(?=[/"])/g, '"http://127.0.0.1:1');
  const { code, output } = await convert(text);
  if (code !== 2) return `posthouse convert ended with ${code}, not 2: ${output}`;
  const wanted = keysOf(String(expect.message));
  if (wanted.some((key) => output.includes(key))) return undefined;
  return `posthouse convert names none of ${wanted.join(", ")}: ${output}`;
}

/** The keys that the middleware's own message is about. */
function keysOf(message: string): string[] {
  const named = keys.filter((key) => new RegExp(`\\b${key}\\b`).test(message));
  if (named.length > 0) return named;
  return message.includes("interval") ? ["interval_check"] : keys;
}

async function convert(text: string): Promise<{ code: number | null; output: string }> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-conformance-"));
  try {
    const file = join(folder, "middleware.json");
    await writeFile(file, text);
    const child = spawn(
      process.execPath,
      [
        ...["--conditions=posthouse-source", "--disable-warning=ExperimentalWarning"],
        ...[main, "convert", "flecto", file],
      ],
      { stdio: ["ignore", "ignore", "pipe"], timeout: deadlineMs, env: { ...process.env, NODE_OPTIONS: "" } },
    );
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk.replaceAll(file, "FILE");
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    return { code, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

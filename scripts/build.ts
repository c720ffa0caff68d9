/** Builds what is published: each public package's `src` into its `dist`, in the order of their dependencies. */
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";

export const publicPackages: readonly string[] = [
  "packages/protocol",
  "packages/rules",
  "packages/flags",
  "packages/service",
  "packages/client",
  "apps/manager",
  "apps/agent",
  "apps/posthouse",
];

/** Compiles one package with `tsc`; throws with the compiler's output when it refuses. `root` is the repository. */
export function buildPackage(root: string, folder: string): void {
  const base = join(root, folder);
  rmSync(join(base, "dist"), { recursive: true, force: true });
  const { status, stdout } = spawnSync(
    join(root, "node_modules", ".bin", "tsc"),
    ["-p", join(base, "tsconfig.build.json"), "--pretty", "false"],
    { cwd: root, encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${folder} does not build:\n${stdout}`);
  const isNoSource = (path: string): boolean => !path.endsWith(".ts");
  cpSync(join(base, "src"), join(base, "dist"), { recursive: true, filter: isNoSource });
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  for (const folder of publicPackages) {
    buildPackage(root, folder);
    console.log(`built ${folder}`);
  }
}

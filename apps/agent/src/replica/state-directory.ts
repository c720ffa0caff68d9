import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { agentErrors } from "../core/errors.ts";

const fullDisk = new Set(["ENOSPC", "EDQUOT"]);

/**
 * Makes the state directory and writes into it once, so that a missing permission is found now. Throws
 * STATE_NOT_WRITABLE, but not for a full disk: that passes, and serving needs none.
 */
export async function prepareStateDirectory(directory: string): Promise<void> {
  const probe = join(directory, `.probe-${randomUUID()}`);
  try {
    await mkdir(join(directory, "snapshots"), { recursive: true, mode: 0o750 });
    await writeFile(probe, "");
  } catch (cause) {
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    if (fullDisk.has(reason)) return;
    throw agentErrors.create("STATE_NOT_WRITABLE", { directory, reason }, { cause });
  } finally {
    await rm(probe, { force: true }).catch(() => {});
  }
}

/** `<state>/snapshots/<control plane>/<namespace>.<project>`: the same on every machine, so that files can be copied. */
export function snapshotPath(
  state: string,
  manager: { readonly url: string; readonly namespace: string; readonly project: string },
): string {
  const { host, pathname } = new URL(manager.url);
  const plane = `${host}${pathname.replace(/\/+$/, "")}`.replace(/[^A-Za-z0-9._-]/g, "_");
  return join(state, "snapshots", plane, `${manager.namespace}.${manager.project}`);
}

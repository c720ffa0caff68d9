import { open } from "node:fs/promises";

/** What systems say that cannot do this with folders; a disk that fails says something else. */
const cannotOpen = new Set(["EACCES", "EISDIR", "EPERM"]);
const cannotSync = new Set(["EBADF", "EINVAL", "EISDIR", "ENOSYS", "ENOTSUP", "EPERM"]);

/** A rename is on the disk only when its folder is. Does without where folders cannot be written to the disk. */
export async function syncFolder(folder: string, opening: typeof open = open): Promise<void> {
  const handle = await opening(folder, "r").catch(unless(cannotOpen));
  if (handle === undefined) return;
  try {
    await handle.sync().catch(unless(cannotSync));
  } finally {
    await handle.close();
  }
}

function unless(codes: ReadonlySet<string>): (error: unknown) => undefined {
  return (error) => {
    if (codes.has(String((error as { code?: unknown }).code))) return undefined;
    throw error;
  };
}

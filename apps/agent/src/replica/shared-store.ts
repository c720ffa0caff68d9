import type { SnapshotStore } from "@posthouse/client";
import { createFileStore } from "@posthouse/client/node";

const writing = new Map<string, Promise<void>>();

/**
 * A file store that never writes one path twice at once, and reads what is being written once it is: during a reload an
 * old and a new replica share a file.
 */
export function sharedFileStore(path: string): SnapshotStore {
  const store = createFileStore(path);
  return {
    async read() {
      await writing.get(path);
      return store.read();
    },
    write(lines) {
      const before = writing.get(path) ?? Promise.resolve();
      const done = before.then(() => store.write(lines));
      const settled = done
        .catch(() => {})
        .then(() => {
          if (writing.get(path) === settled) writing.delete(path);
        });
      writing.set(path, settled);
      return done;
    },
  };
}

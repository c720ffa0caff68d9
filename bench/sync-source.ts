/** What a Manager does for its agents' copies: tells the version, sends the whole of it, takes reports. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { formatItem, type Item, projectPath, type SnapshotHeader, syncHeader } from "@posthouse/protocol";
import { snapshotHash } from "@posthouse/testkit/peer-snapshot";

export const sourceProject = { namespace: "bench", project: "rules" } as const;

export interface SyncSource extends AsyncDisposable {
  readonly url: string;
  /** Goes to the next version, whose items are those of the next list, round and round. */
  publish(): void;
}

export async function startSyncSource(lists: readonly (readonly Item[])[]): Promise<SyncSource> {
  const contents = lists.map((items) => ({
    lines: items.map(formatItem),
    hash: snapshotHash(items),
  }));
  const packed = new Map<number, Buffer>();
  let version = 1;

  function snapshot(): Buffer {
    const known = packed.get(version);
    if (known !== undefined) return known;
    const { lines, hash } = contents[(version - 1) % contents.length] ?? { lines: [], hash: "" };
    const header: SnapshotHeader = {
      posthouse: "snapshot",
      format: 1,
      ...sourceProject,
      version,
      hash,
      items: lines.length,
    };
    const body = gzipSync([JSON.stringify(header), ...lines, ""].join("\n"), { level: 1 });
    packed.clear();
    packed.set(version, body);
    return body;
  }

  const base = projectPath(sourceProject.namespace, sourceProject.project);
  const server = createServer((request, response) => {
    request.resume();
    const path = request.url?.slice(base.length).split("?")[0];
    if (path === "/version") response.writeHead(200, { [syncHeader]: "1" }).end(`${version}\n`);
    else if (path === "/snapshot") response.writeHead(200, { "content-encoding": "gzip" }).end(snapshot());
    else if (path === "/changes" || path === "/events") response.writeHead(404).end();
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  snapshot();
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    publish() {
      version += 1;
      snapshot();
    },
    [Symbol.asyncDispose]: () => close(server),
  };
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

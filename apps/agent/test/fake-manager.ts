import { createServer, type Server } from "node:http";
import type { Page, Redirect } from "@posthouse/protocol";
import { closeServer, listenOn } from "@posthouse/service";

export interface FakeProject {
  version: number;
  redirects: readonly Redirect[];
  pages: readonly Page[];
}

export interface FakeManager extends FakeProject {
  readonly url: string;
  redirects: Redirect[];
  pages: Page[];
  /** Projects with lists of their own, by code; all others have those above. */
  readonly projects: Map<string, FakeProject>;
  /** The only token it takes. */
  token: string;
  stop(): Promise<void>;
}

/** Speaks just enough of a Flecto Manager's agent API: version, paged lists, reports. */
export async function startFakeManager(redirects: Redirect[], pages: Page[] = []): Promise<FakeManager> {
  const manager = { version: 1, redirects, pages, token: "good", projects: new Map<string, FakeProject>() };
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://manager");
    const resource = url.pathname.split("/").slice(6).join("/");
    const project = manager.projects.get(url.pathname.split("/")[5] ?? "") ?? manager;
    const limit = Number(url.searchParams.get("limit"));
    const offset = Number(url.searchParams.get("offset"));
    const list = (items: readonly unknown[]): string =>
      JSON.stringify({
        Items: items.slice(offset, offset + limit),
        Total: items.length,
        Limit: limit,
        Offset: offset,
      });
    if (request.headers.authorization !== `Bearer ${manager.token}`) response.writeHead(401).end();
    else if (resource === "version") response.end(String(project.version));
    else if (resource === "redirects") response.end(list(project.redirects));
    else if (resource === "pages") response.end(list(project.pages));
    else if (resource.startsWith("agents")) response.end();
    else response.writeHead(404).end();
  });
  const { port } = await listenOn(server, { host: "127.0.0.1", port: 0 });
  return Object.assign(manager, { url: `http://127.0.0.1:${port}`, stop: () => closeServer(server, 0) });
}

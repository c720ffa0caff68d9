import { createServer } from "node:http";
import { closeServer, listenOn } from "@posthouse/service";

export interface Project {
  readonly namespace: string;
  readonly project: string;
}
type Row = Readonly<Record<string, string>>;

/** The version in which the cases' answers were recorded. */
const version = 7;

/** As much of Flecto's Manager as its agents need: every project has the same rows, with its own names filled in. */
export async function startManager(rows: {
  readonly redirects: readonly Row[];
  readonly pages: readonly Row[];
}): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://manager");
    const [, namespace = "", project = "", resource = ""] =
      /^\/api\/namespace\/([^/]+)\/project\/([^/]+)\/(\w+)/.exec(url.pathname) ?? [];
    const list = (all: readonly Row[]): string => {
      const [limit, offset] = [Number(url.searchParams.get("limit")), Number(url.searchParams.get("offset"))];
      const items = forProject(all, { namespace, project }).slice(offset, offset + limit);
      return `${JSON.stringify({ Items: items, Total: all.length, Limit: limit, Offset: offset })}\n`;
    };
    response.setHeader("content-type", "application/json");
    if (resource === "version") response.end(`${version}\n`);
    else if (resource === "redirects" || resource === "pages") response.end(list(rows[resource]));
    else if (resource === "agents") response.end();
    else response.writeHead(404).end();
  });
  const { port } = await listenOn(server, { host: "127.0.0.1", port: 0 });
  return { url: `http://127.0.0.1:${port}`, stop: () => closeServer(server, 0) };
}

/** Cases about the choice of a project show it in a target: `/<namespace>/<project>`. */
export function forProject(rows: readonly Row[], { namespace, project }: Project): Row[] {
  const fill = (text: string): string =>
    text.replaceAll("<namespace>", namespace).replaceAll("<project>", project);
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, text]) => [key, fill(text)])));
}

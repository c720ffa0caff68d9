import type { Page, Redirect } from "@posthouse/protocol";
import type { ManagerApi } from "../manager-api.ts";

export const demoNamespace = "demo";
export const demoProject = "site";

const redirects: readonly Redirect[] = [
  { type: "BASIC", source: "/old-page", target: "/new-page", status: "MOVED_PERMANENT" },
  { type: "REGEX", source: "^/blog/(\\d+)/([a-z0-9-]+)$", target: "/articles/$2?id=$1", status: "FOUND" },
];

const pages: readonly Page[] = [
  {
    type: "BASIC",
    path: "/",
    content: "This is the demo site of Posthouse. Try /old-page, /blog/42/hello and /robots.txt.\n",
    contentType: "TEXT_PLAIN",
  },
  {
    type: "BASIC",
    path: "/new-page",
    content: "The new page. A redirect brought you here from /old-page.\n",
    contentType: "TEXT_PLAIN",
  },
  {
    type: "BASIC",
    path: "/articles/hello?id=42",
    content: "Article 42. A regular expression brought you here from /blog/42/hello.\n",
    contentType: "TEXT_PLAIN",
  },
  { type: "BASIC", path: "/robots.txt", content: "User-agent: *\nAllow: /\n", contentType: "TEXT_PLAIN" },
];

interface Project {
  readonly version: number;
  readonly drafts: { readonly redirects: number; readonly pages: number };
}

const base = `/namespaces/${demoNamespace}/projects/${demoProject}`;

/** Makes the demo project through the Manager's API, unless somebody has published into it: then it is theirs. */
export async function ensureDemo(api: ManagerApi): Promise<void> {
  const project = await api.get<Project>(base);
  if (project !== undefined && project.version > 1) return;
  if (project === undefined) await createProject(api);
  // A first start that was ended half-way left drafts: they are made anew.
  const drafts = await api.get<{ items: readonly { id: number }[] }>(`${base}/drafts`);
  for (const { id } of drafts?.items ?? []) await api.send("DELETE", `${base}/drafts/${id}`);
  for (const redirect of redirects) await api.send("POST", `${base}/redirects`, redirect);
  for (const page of pages) await api.send("POST", `${base}/pages`, page);
  await api.send("POST", `${base}/publish`);
}

/** A token that may do what an agent of the demo project does, and nothing else. */
export async function createAgentToken(api: ManagerApi): Promise<string> {
  const scope = { namespace: demoNamespace, project: demoProject };
  const { token } = await api.send<{ token: string }>("POST", "/tokens", {
    name: `up-agent-${Date.now()}`,
    permissions: [
      { ...scope, resource: "redirect", action: "read" },
      { ...scope, resource: "page", action: "read" },
      { ...scope, resource: "agent", action: "write" },
    ],
    admin: [],
  });
  return token;
}

async function createProject(api: ManagerApi): Promise<void> {
  const namespaces = await api.get<{ items: readonly { code: string }[] }>("/namespaces");
  if (!namespaces?.items.some(({ code }) => code === demoNamespace)) {
    await api.send("POST", "/namespaces", { code: demoNamespace, name: "Demo" });
  }
  await api.send("POST", `/namespaces/${demoNamespace}/projects`, { code: demoProject, name: "Demo site" });
}

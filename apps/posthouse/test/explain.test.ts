import { describe, expect, it } from "vitest";
import { readAskedRequest } from "../src/explain/asked-request.ts";
import { folderWith, runCommand } from "./run-command.ts";

const rules = JSON.stringify({
  redirects: [
    { type: "BASIC", source: "/old", target: "new", status: "MOVED_PERMANENT" },
    { type: "REGEX", source: "^/blog/(\\d+)$", target: "/articles/$1", status: "FOUND" },
    { type: "REGEX", source: "^/(en|es)/x$", target: "/$1", status: "FOUND" },
    { type: "BASIC_HOST", source: "a.example/only", target: "https://b.example/", status: "FOUND" },
    { type: "BASIC", source: "/one", target: "/two", status: "FOUND" },
    { type: "BASIC", source: "/two", target: "/one", status: "FOUND" },
  ],
  pages: [{ type: "BASIC", path: "/robots.txt", content: "é\n", contentType: "TEXT_PLAIN" }],
})
  .replaceAll("},{", "},\n{")
  .replace("[", "[\n");
const timeout = 60_000;

async function ask(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const cwd = await folderWith({ "rules.json": rules });
  return runCommand(["explain", ...args, "--rules", "rules.json"], { cwd });
}

describe("posthouse explain with a rule file", { timeout }, () => {
  it("names the rule that answers, its place, and what is sent", async () => {
    const { code, stdout } = await ask("https://a.example/dir/../old");
    expect(code).toBe(0);
    expect(stdout).toContain("404: no rule answers");
    const { stdout: text } = await ask("https://a.example/old");
    expect(text).toMatch(/^GET \/old {3}Host: a\.example$/m);
    expect(text).toMatch(/^301 Moved Permanently\n {2}Location {2}\/new$/m);
    expect(text).toMatch(/because {3}redirect 1 {3}BASIC \/old {2}→ {2}new {3}\(rules\.json:2\)/);
  });

  it("names rules that nearly answered, and why they did not", async () => {
    const { stdout } = await ask("https://a.example/Old/?utm=1");
    expect(stdout).toContain("404: no rule answers");
    expect(stdout).toMatch(/Nearly\n {2}redirect 1 .+rules\.json:2\)\n {4}It differs in the query/);
    const other = await ask("https://b.example/only");
    expect(other.stdout).toMatch(/redirect 4 .+\n {4}It is for another host\./);
  });

  it("answers as Flecto's agents do when asked to", async () => {
    expect((await ask("/en/x")).stdout).toMatch(/^302 Found\n {2}Location {2}\/en$/m);
    expect((await ask("/en/x", "--compat", "flecto")).stdout).toContain("404: no rule answers");
    const wrong = await ask("/en/x", "--compat", "fleco");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("expected flecto")]);
  });

  it("describes pages, and where a redirect leads on", async () => {
    expect((await ask("/robots.txt")).stdout).toMatch(/^200 OK\n {2}content {3}3 bytes, text\/plain$/m);
    expect((await ask("/one")).stdout).toMatch(/then {6}\/two answers 302 \/one, then \/one: a loop/);
  });

  it("prints all of it as JSON", async () => {
    const { stdout } = await ask("/only", "--host", "a.example", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      request: { method: "GET", host: "a.example", uri: "/only" },
      rules: { redirects: 6, pages: 1 },
      answer: { status: 302, location: "https://b.example/", item: { id: 4 }, place: "rules.json:5" },
      near: [],
    });
  });

  it.each([
    [["a.example/old", "--rules", "x.json"], /\[URL_UNUSABLE\]\n {2}Did you mean https:\/\/a\.example\/old/],
    [["ftp://a/old", "--rules", "x.json"], /\[URL_UNUSABLE\]\n {2}Give https:/],
    [["/old"], /-c FILE, or a rule file with --rules FILE \[USAGE\]/],
    [["/old", "--rules", "x.json", "-c", "p.yaml"], /\[USAGE\]/],
  ])("%j exits with 2 and says what to give", async (args, message) => {
    const { code, stderr } = await runCommand(["explain", ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

const config = `state: ./state
projects:
  shop: { file: rules.json }
  blog: { file: _redirects, compat: flecto }
sites:
  - listen: 127.0.0.1:8000
    hosts:
      - { match: [shop.example], project: shop }
      - { match: ["*.blog.example"], project: blog }
  - listen: 127.0.0.1:8001
    hosts: [{ match: [shop.example], project: blog }]
`;

describe("posthouse explain with a configuration", { timeout }, () => {
  const files = { "p.yaml": config, "rules.json": rules, _redirects: "/old /from-blog 302\n" };

  it("finds the project by the host, and by the port", async () => {
    const cwd = await folderWith(files);
    const locationOf = async (...args: string[]) => {
      const { stdout } = await runCommand(["explain", ...args, "-c", "p.yaml", "--json"], { cwd });
      const { project, site, answer } = JSON.parse(stdout);
      return [project, site, answer?.location];
    };
    expect(await locationOf("https://shop.example/old")).toEqual(["shop", "127.0.0.1:8000", "/new"]);
    expect(await locationOf("http://shop.example:8001/old")).toEqual([
      "blog",
      "127.0.0.1:8001",
      "/from-blog",
    ]);
    expect(await locationOf("/old", "--host", "a.blog.example")).toEqual([
      "blog",
      "127.0.0.1:8000",
      "/from-blog",
    ]);
    expect(await locationOf("/old", "--project", "blog")).toEqual(["blog", undefined, "/from-blog"]);
  });

  it("says which hosts there are when no site takes one, and which projects", async () => {
    const cwd = await folderWith(files);
    const { stdout } = await runCommand(["explain", "https://no.example/old", "-c", "p.yaml"], { cwd });
    expect(stdout).toMatch(
      /404: no site takes this host\nSites take\n {2}shop\.example\n {2}\*\.blog\.example/,
    );
    const { code, stderr } = await runCommand(["explain", "/x", "-c", "p.yaml", "--project", "shpo"], {
      cwd,
    });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/did you mean "shop"\? \[PROJECT_UNKNOWN\]/)]);
  });
});

describe("the request of a URL", () => {
  it.each([
    ["https://a.example", "a.example", "/"],
    ["https://a.example:443/x", "a.example", "/x"],
    ["http://a.example:443/x", "a.example:443", "/x"],
    ["http://a.example:80?q", "a.example", "/?q"],
    ["https://a.example/a/../b?x=1#top", "a.example", "/a/../b?x=1"],
    ["/é?q=é", "", "/%C3%A9?q=é"],
    ["//a//b", "", "//a//b"],
  ])("%s", (url, host, uri) =>
    expect(readAskedRequest(url, { method: "GET", host: undefined })).toEqual({ method: "GET", host, uri }),
  );
});

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { connect as connectTls } from "node:tls";
import { agentConfigSchema } from "@posthouse/agent";
import { managerConfigSchema } from "@posthouse/manager";
import { parseConfig } from "@posthouse/service";
import { createTestAuthority } from "@posthouse/testkit/certificates";
import { type PosthouseProcess, startPosthouse, startScript } from "@posthouse/testkit/posthouse-process";
import { needPackage } from "@posthouse/testkit/services";
import { answers, until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { convertFlecto } from "../apps/posthouse/src/convert/flecto.ts";
import { convertRedirectionio } from "../apps/posthouse/src/convert/redirectionio.ts";
import { generateReference } from "../scripts/reference.ts";

const root = join(import.meta.dirname, "..");
const pages = [
  ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"],
  ...["guide", "adr"].flatMap((folder) =>
    readdirSync(join(root, "docs", folder)).map((file) => `docs/${folder}/${file}`),
  ),
  ...readdirSync(join(root, "examples"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, "examples", entry.name, "README.md")))
    .map(({ name }) => `examples/${name}/README.md`),
];
const read = (page: string): string => readFileSync(join(root, page), "utf8");
const blocks = (page: string, language: string): string[] =>
  [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, text]) => text ?? "",
  );

describe("documentation", () => {
  it("links to files that exist", () => {
    for (const page of pages) {
      for (const [, link = ""] of read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
        expect(existsSync(join(root, dirname(page), link)), `${page} links to ${link}`).toBe(true);
      }
    }
  });

  it("names files that exist in the walks of ARCHITECTURE.md", () => {
    const files = [
      ...read("ARCHITECTURE.md").matchAll(/`((?:packages|apps|scripts|testkit|bench|test)\/[\w./-]+)`/g),
    ];
    expect(files.length).toBeGreaterThan(15);
    for (const [, path = ""] of files) expect(existsSync(join(root, path)), path).toBe(true);
  });

  it("shows configurations that pass", () => {
    const texts = pages.flatMap((page) => blocks(page, "yaml"));
    expect(texts.length).toBeGreaterThanOrEqual(2);
    for (const text of texts) {
      const isAgent = /^(sites|flags|events):/m.test(text);
      const parsed = parseConfig<unknown>(
        text,
        "page.yaml",
        isAgent ? agentConfigSchema : managerConfigSchema,
        {
          POSTHOUSE_AGENT_TOKEN: "t",
          FLECTO_TOKEN: "t",
          FEATBIT_KEY: "rp-t",
          INSIGHTS_HASH_KEY: "t",
          ADMIN_TOKEN: "t",
          LEEK_KEY: "k",
          WEBHOOK_SECRET: "s",
        },
      );
      expect(parsed).toBeTruthy();
    }
  });

  it("converts Flecto's configuration to the one it shows", () => {
    const [middleware = ""] = blocks("docs/guide/from-flecto.md", "yml");
    const [ours = ""] = blocks("docs/guide/from-flecto.md", "yaml");
    const { yaml, warnings } = convertFlecto(middleware, { file: "dynamic.yml" });
    expect(yaml.split("\n").slice(1).join("\n")).toBe(ours);
    expect(warnings).toEqual([]);
  });

  it("converts redirection.io's configuration to the one it shows, and tells what it shows", () => {
    const [theirs = "", ours = ""] = blocks("docs/guide/from-redirectionio.md", "yml");
    const [told] = blocks("docs/guide/from-redirectionio.md", "text");
    const { yaml, warnings } = convertRedirectionio(theirs, { file: "agent.yml" });
    expect(yaml.split("\n").slice(1).join("\n")).toBe(ours);
    expect(`${warnings.join("\n")}\n`).toBe(told);
  });

  it("shows what posthouse explain prints", async () => {
    const [, url = "", wanted = ""] =
      /^\$ posthouse explain '(\S+)' --rules redirects\.tsv\n([\s\S]*?)^```/m.exec(
        read("docs/guide/redirects.md"),
      ) ?? [];
    const folder = await mkdtemp(join(tmpdir(), "posthouse-explain-"));
    try {
      const list = "type\tsource\ttarget\tstatus\nBASIC\t/old\t/new\t301\nBASIC\t/else\t/x\t302\n";
      writeFileSync(join(folder, "redirects.tsv"), list);
      const explain = startPosthouse(["explain", url, "--rules", "redirects.tsv"], { cwd: folder });
      expect(await explain.exited).toBe(0);
      expect(explain.output()).toBe(wanted);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("keeps CONTRIBUTING.md under 150 lines", () => {
    expect(read("CONTRIBUTING.md").split("\n").length).toBeLessThan(150);
  });

  it("has a current reference", async () => {
    for (const [name, text] of await generateReference()) {
      expect(read(`docs/reference/${name}`), `docs/reference/${name} is old: run npm run reference`).toBe(
        text,
      );
    }
  });

  it("names npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const page of pages) {
      for (const [, name = ""] of read(page).matchAll(/npm run ([a-z]+)/g))
        expect(scripts, page).toHaveProperty(name);
    }
  });
});

describe("the README's first minute", () => {
  it("works as it is written, on other ports", async () => {
    const folder = await mkdtemp(join(tmpdir(), "posthouse-readme-"));
    const up = startPosthouse([
      ...["up", "--state", join(folder, ".posthouse")],
      ...["--manager-port", "0", "--site-port", "0", "--admin-port", "0"],
    ]);
    try {
      await up.printed(/Ctrl-C stops everything/);
      const [, site = ""] = await up.printed(/Site +(\S+)/);
      const [, manager = ""] = await up.printed(/Manager +(\S+)/);
      const commands = blocks("README.md", "sh").flatMap((block) => block.trim().split("\n"));
      expect(commands).toContain("npm start");
      expect(commands).toContain("npm test");

      const curls = commands.filter((command) => command.startsWith("curl "));
      expect(curls.length).toBeGreaterThanOrEqual(3);
      for (const command of curls) {
        const { stdout, status } = spawnSync("sh", ["-c", command.replace("http://127.0.0.1:8000", site)], {
          encoding: "utf8",
        });
        expect(status, command).toBe(0);
        expect(stdout, command).toMatch(/^HTTP\/1\.1 (200|30[1278]) /);
      }

      const imports = commands.filter((command) => command.startsWith("npx posthouse import "));
      expect(imports.length).toBeGreaterThanOrEqual(1);
      for (const command of imports) {
        const args = command.split(" ").slice(2);
        const importing = startPosthouse([...args, "--manager", manager], {
          cwd: root,
          env: { POSTHOUSE_TOKEN: readFileSync(join(folder, ".posthouse", "token"), "utf8").trim() },
        });
        expect(await importing.exited, importing.output()).toBe(0);
      }
    } finally {
      up.signal("SIGKILL");
      await up.exited;
      await rm(folder, { recursive: true, force: true });
    }
  }, 90_000);
});

describe("the configuration of docs/guide/proxy-listeners.md", async () => {
  const openssl = await needPackage("openssl", "openssl");
  if ("missing" in openssl) console.warn(`SKIPPED: ${openssl.missing}`);

  it.skipIf("missing" in openssl)(
    "serves as it is written, on other ports",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "posthouse-listeners-"));
      const backend = createHttpServer((request, response) => {
        response.end(`${request.headers.host} ${request.headers["x-forwarded-for"]}\n`);
      });
      await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
      const backendPort = String((backend.address() as AddressInfo).port);
      let agent: PosthouseProcess | undefined;
      try {
        await mkdir(join(folder, "tls"));
        const authority = createTestAuthority("path" in openssl ? openssl.path : "", join(folder, "tls"));
        authority.issue({ file: "shop", names: ["DNS:shop.example.com"] });
        authority.issue({ file: "blog", names: ["DNS:blog.example.com", "DNS:*.blog.example.com"] });
        const port = await freePort();
        const [text = ""] = blocks("docs/guide/proxy-listeners.md", "yaml");
        const changed = text
          .replace("0.0.0.0:8443", `127.0.0.1:${port}`)
          .replaceAll(/127\.0\.0\.1:300[01]/g, `127.0.0.1:${backendPort}`)
          .replace("/run/posthouse", folder);
        await writeFile(join(folder, "agent.yaml"), changed);
        agent = startPosthouse(["agent", "-c", join(folder, "agent.yaml")], { cwd: folder });
        await agent.printed(/agent started/);
        const ca = readFileSync(authority.ca);
        for (const servername of ["shop.example.com", "de.blog.example.com"]) {
          const socket = connect({ port, host: "127.0.0.1" });
          socket.write("PROXY TCP4 192.0.2.7 192.0.2.8 1234 443\r\n");
          const secure = connectTls({ socket, servername, ca });
          secure.write(`GET / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`);
          expect(await readAll(secure)).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*:\d+ 192\.0\.2\.7\n$/);
        }
        const local = connect(join(folder, "site.sock"));
        local.write("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\nConnection: close\r\n\r\n");
        expect(await readAll(local)).toContain(" 192.0.2.9, unknown\n");
      } finally {
        agent?.signal("SIGKILL");
        await agent?.exited;
        await new Promise((resolve) => backend.close(resolve));
        await rm(folder, { recursive: true, force: true });
      }
    },
    90_000,
  );
});

describe("the servers of docs/guide/embed.md", () => {
  it("work as they are written, on other ports", async () => {
    const folder = await mkdtemp(join(tmpdir(), "posthouse-embed-"));
    const state = join(folder, ".posthouse");
    const ports = ["--manager-port", "0", "--site-port", "0", "--admin-port", "0"];
    const running: PosthouseProcess[] = [startPosthouse(["up", "--state", state, ...ports])];
    try {
      await running[0]?.printed(/Ctrl-C stops everything/);
      const [, manager = ""] = (await running[0]?.printed(/Manager +(\S+)/)) ?? [];
      const env = { POSTHOUSE_AGENT_TOKEN: readFileSync(join(state, "agent-token"), "utf8").trim() };
      await symlink(join(root, "node_modules"), join(folder, "node_modules"));
      const start = async (text: string, port: number): Promise<PosthouseProcess> => {
        const name = /^\/\/ (\S+)\.mjs$/m.exec(text)?.[1] ?? "";
        const cwd = join(folder, name);
        await mkdir(cwd);
        await writeFile(join(cwd, "client.mjs"), client.replace("http://127.0.0.1:8080", manager));
        await writeFile(join(cwd, `${name}.mjs`), text.replace("3000", String(port)));
        const process = startScript(join(cwd, `${name}.mjs`), [], { cwd, env });
        running.push(process);
        return process;
      };

      const [client = "", ...snippets] = blocks("docs/guide/embed.md", "js");
      const servers = snippets.filter((text) => text.includes("3000"));
      expect(servers).toHaveLength(5);
      for (const text of servers) {
        const port = await freePort();
        const process = await start(text, port);
        const site = `http://127.0.0.1:${port}`;
        await until(`a redirect from ${process.output()} ${text}`, () => answers(`${site}/old-page`, 301));
        expect(await (await fetch(`${site}/robots.txt`)).text()).toMatch(/^User-agent/);
        expect(await (await fetch(`${site}/nothing-here`)).text()).toBe("the site\n");
      }

      const others = snippets.filter((text) => !text.includes("3000"));
      expect(others).toHaveLength(1);
      for (const text of others) {
        const process = await start(text, 0);
        expect(await process.exited, process.output()).toBe(0);
        expect(process.output()).toMatch(/^302 \/articles\/hello\?id=42 \^\/blog/);
      }
    } finally {
      for (const process of running) {
        process.signal("SIGKILL");
        await process.exited;
      }
      await rm(folder, { recursive: true, force: true });
    }
  }, 180_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function readAll(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}
